#!/bin/sh
# Installs cd40l-flow into /opt/cd40l-flow of a clean Debian 12, as root: the one recipe of Dockerfile, cd40l-flow.def and
# try_in_chroot.sh. Versions and hashes come from the locks beside it; the tools of development are left out.
set -eu
cd "$(dirname "$0")/.."
target=/opt/cd40l-flow
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export DEBIAN_FRONTEND=noninteractive LANG=C.UTF-8 PIP_ROOT_USER_ACTION=ignore PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

# Python; the others are only needed meanwhile.
apt-get update -qq
apt-get install -qq --yes --no-install-recommends python3 python3-venv binutils >"$scratch/apt.log" \
    || { cat "$scratch/apt.log" >&2; exit 1; }

# The libraries, then the package: a wheel built here and installed as any other.
python3 -m venv "$target"
"$target/bin/pip" install --quiet --no-compile --require-hashes --requirement container/requirements.lock
python3 -m venv "$scratch/build"
"$scratch/build/bin/pip" install --quiet --require-hashes --requirement container/build.lock
"$scratch/build/bin/python" -m hatchling build --target wheel --directory "$scratch/dist" >"$scratch/build.log" 2>&1 \
    || { cat "$scratch/build.log" >&2; exit 1; }
"$target/bin/pip" install --quiet --no-compile --no-deps --no-index "$scratch"/dist/*.whl
"$target/bin/pip" check
"$target/bin/pip" uninstall --quiet --yes pip setuptools
find "$target" -name __pycache__ -type d -prune -exec rm -rf {} +

# Files of the libraries that nothing here opens; no line of code is changed.
site=$("$target/bin/python" -c "import sysconfig; print(sysconfig.get_path('purelib'))")
cd "$site"
find . -type d \( -name tests -o -name test \) -not -path './openpyxl/*' -prune -exec rm -rf {} +          # their own tests
find . -type f \( -name '*.c' -o -name '*.h' -o -name '*.hpp' -o -name '*.pxd' -o -name '*.pxi' -o -name '*.pyi' -o -name '*.pyx' \
    -o -name '*.a' \) -delete                                                                               # for compilers
find pulp/solverdir/cbc -mindepth 2 -maxdepth 2 -type d -not -path "*/linux/$(dpkg --print-architecture | sed 's/amd64/i64/')" \
    -exec rm -rf {} +                                                                                       # other machines
rm -rf pyarrow/include pyarrow/src pyarrow/libarrow_flight.so* pyarrow/libarrow_s3.so* pyarrow/_flight.* pyarrow/_s3fs.*  # networks
find bokeh/server/static/js bokeh/server/static/lib -mindepth 1 -not -name '*.min.js' -delete              # unminified twins
rm -rf matplotlib/mpl-data/sample_data
# Symbols for debuggers; what stands in *.libs was repacked when its wheel was made, and would not survive it.
find . -name '*.so*' -type f -not -path './*.libs/*' -exec strip --strip-unneeded {} +
# A library under several names is one file.
for copy in pyarrow/libarrow_python*.so pyarrow/libarrow_python*.so.[0-9][0-9][0-9][0-9]; do
    full=$(ls "${copy%%.so*}".so.*.*.* 2>/dev/null | head -n 1)
    if [ -n "$full" ] && [ "$copy" != "$full" ] && cmp -s "$copy" "$full"; then ln -sf "$(basename "$full")" "$copy"; fi
done

# One run of everything shows that what is left is enough, and leaves compiled bytecode of what is imported, which a
# read-only image could not make later: without it every process would start twice as slowly.
export PATH="$target/bin:$PATH" HOME="$scratch" OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
unset PYTHONDONTWRITEBYTECODE
cd "$scratch"
python -m compileall -q "$site/cd40l_flow"
cd40l-flow simulate lab --seed 1 --scenario carrier-half >/dev/null
cd40l-flow check --directory lab
cd40l-flow init lab --workflow >/dev/null
(cd lab && snakemake --cores 1 --quiet all && snakemake --report report.zip --quiet all) >run.log 2>&1 || { cat run.log >&2; exit 1; }
cd40l-flow figures --result "$(ls -d lab/results/samples/*/result.json | head -n 1)" --out figures >/dev/null
cd40l-flow inspect lab/fcs/*.fcs >/dev/null

apt-get purge -qq --yes --autoremove -o APT::AutoRemove::SuggestsImportant=false python3-venv binutils >/dev/null
apt-get clean
rm -rf /var/lib/apt/lists/*
