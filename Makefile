# Needs make and Python 3.11 or later with venv; everything else is installed into .venv, in the exact versions of
# requirements.lock. PYTHON=... chooses another interpreter, CORES=... another number of cores.

CORES ?= 2
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEMO := --snakefile Snakefile --directory test_data --configfile test_data/config/config.yaml

# The rules call cd40l-flow by its name. One thread a process: Snakemake spreads the samples over the cores.
export PATH := $(abspath $(BIN)):$(PATH)
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
# Without compiled bytecode every process would start twice as slowly.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test check lock schema known-results bench mutants clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## analyse the simulated cohort of test_data and print the calls
	$(BIN)/snakemake $(DEMO) --cores $(CORES)
	@$(BIN)/python -P -m cd40l_flow.result.table test_data/results/summary.tsv
	@echo "Reports: $(CURDIR)/test_data/results/index.html"

test: check ## run all checks and all tests
	$(BIN)/python -m pytest -n $(CORES) --dist loadgroup

check: $(INSTALLED) ## check style, types, layers and the workflow
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake $(DEMO) --lint

# The container has what the workflow runs with and what builds its wheel, in the versions of the whole lock.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url \
	--custom-compile-command "make lock"

lock: $(INSTALLED) ## resolve the dependencies of pyproject.toml anew
	$(COMPILE) pyproject.toml --upgrade --all-extras --output-file requirements.lock
	$(COMPILE) pyproject.toml --constraint requirements.lock --output-file container/requirements.lock
	$(COMPILE) container/build.in --constraint requirements.lock --output-file container/build.lock

schema: $(INSTALLED) ## write the JSON Schemas of result, run and reference from their types, and the limits in config/ from their table
	$(BIN)/python -P -m cd40l_flow.assay.limit_pages config
	$(BIN)/python -P -m cd40l_flow.result.types.json_schema workflow/schemas

bench: $(INSTALLED) ## measure accuracy and speed
	$(BIN)/python -m benchmarks

known-results: $(INSTALLED) ## keep the numbers of whole samples anew, after a change that is meant to change them
	PYTHONPATH=tests $(BIN)/python -m helpers.results.known_results

mutants: $(INSTALLED) ## break single lines of the science and see whether a test notices
	$(BIN)/python -m benchmarks.mutants

clean: ## remove what the demo and the tools left behind
	rm -rf test_data/results test_data/logs test_data/.snakemake test_data/.cd40l-flow build dist
	rm -rf .mypy_cache .ruff_cache .import_linter_cache .pytest_cache .hypothesis .snakemake

$(INSTALLED): requirements.lock pyproject.toml
	@test -x $(BIN)/python || { \
		for python in $(PYTHON) python3.11 python3 python3.12 python3.13; do \
			if $$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
				echo "$$python -m venv $(VENV)"; exec $$python -m venv $(VENV); \
			fi; \
		done; \
		echo "Python 3.11 or later with venv is needed (on Debian: apt-get install python3 python3-venv)." >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q src
	@touch $@
