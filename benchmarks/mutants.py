"""Break single lines of the science and see whether a test notices: ``python -m benchmarks.mutants``.

Each mutant is one change of a comparison, an arithmetic or boolean operator, a constant, a ``not``, a term of a sum,
or ``min`` and ``max``. It is made in a copy of the repository, and the unit tests run there that import its module, or
something that imports it.
"""

from __future__ import annotations

import argparse
import ast
import csv
import functools
import os
import random
import re
import resource
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from scipy import optimize, special, stats

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("mixture", "decision", "gating")
LOADED = (hypothesis, np, optimize, special, stats)  # what most tests need, loaded once
# Folders of the copy: what the tests read.
COPIED = ("src", "tests", "benchmarks", "config", "docs", "profiles", "test_data", "workflow")
# Processor time after which no further file of tests but that of whole samples is begun for a mutant, and of each file.
SECONDS = 60
WHOLE, WHOLE_SECONDS = ROOT / "tests/unit/samples/test_known_results.py", 400  # whole samples, whatever they import
SWAPPED = {ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
EDGE = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
ARITHMETIC = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
NAMES = {"min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum"}
# Survivors that were looked at and change nothing that a result can show, and why.
HARMLESS = ROOT / "benchmarks" / "harmless_mutants.tsv"


@dataclass(frozen=True)
class Mutant:
    """One change of a file: ``what`` is changed in the line ``text``, as the ``number``-th of all that can be."""

    file: str
    line: int
    text: str
    what: str
    number: int

    def source(self) -> str:
        """Return the mutated module."""
        tree = ast.parse((ROOT / self.file).read_text(encoding="utf-8"))
        parent, name, index, new = list(sites(tree))[self.number]
        if index is None:
            setattr(parent, name, new)
        else:
            getattr(parent, name)[index] = new
        return ast.unparse(ast.fix_missing_locations(tree))


def changes(node: ast.AST) -> Iterator[ast.expr]:
    """Yield what a node may be changed to."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        kinds = [SWAPPED]
        if any(isinstance(side, ast.Constant) and type(side.value) is int for side in (node.left, *node.comparators)):
            kinds.append(EDGE)  # of measured values an edge is never met
        for kind in kinds:
            if type(node.ops[0]) in kind:
                yield ast.Compare(node.left, [kind[type(node.ops[0])]()], node.comparators)
    elif isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        yield ast.BinOp(node.left, ARITHMETIC[type(node.op)](), node.right)
        if isinstance(node.op, ast.Add | ast.Sub):
            yield node.left
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.And() if isinstance(node.op, ast.Or) else ast.Or(), node.values)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
    elif isinstance(node, ast.Constant) and type(node.value) is int:  # not bool
        yield ast.Constant(node.value + 1)
    elif isinstance(node, ast.Constant) and isinstance(node.value, float):
        yield ast.Constant(1.5 * node.value or 0.5)
    elif isinstance(node, ast.Name) and node.id in NAMES:
        yield ast.Name(NAMES[node.id])
    elif isinstance(node, ast.Attribute) and node.attr in NAMES and ast.unparse(node.value) == "np":
        yield ast.Attribute(node.value, NAMES[node.attr])


def sites(node: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, ast.expr]]:
    """Yield what can be changed below a node: the parent, the field, the index in a list, what to put there.

    Annotations, asserts, texts and indices of arrays are left alone.
    """
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "slice") or isinstance(node, ast.Assert | ast.JoinedStr):
            continue
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST):
                for new in changes(child):
                    yield node, name, index, ast.copy_location(new, child)
                yield from sites(child)


def mutants(path: Path) -> list[Mutant]:
    """Return every mutant of a file."""
    source, found = path.read_text(encoding="utf-8"), []
    for number, (parent, name, index, new) in enumerate(sites(ast.parse(source))):
        held = getattr(parent, name)
        what = f"{ast.unparse(held if index is None else held[index])} -> {ast.unparse(new)}"
        text = source.splitlines()[new.lineno - 1].strip()
        found.append(Mutant(str(path.relative_to(ROOT)), new.lineno, text, what, number))
    return found


def drawn(seed: int) -> Iterator[Mutant]:
    """Yield mutants in a random order that goes round the files."""
    chance = random.Random(seed)
    files = [path for room in ROOMS for path in sorted((ROOT / "src/cd40l_flow" / room).rglob("*.py"))]
    chance.shuffle(files)
    each = [chance.sample(found, len(found)) for found in map(mutants, files) if found]
    for row in zip_longest(*each):
        yield from (mutant for mutant in row if mutant is not None)


@functools.cache
def imported(path: Path) -> frozenset[str]:
    """Return the modules, and names in them, that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return frozenset(names)


def module(path: Path) -> str:
    """Return the name by which a file is imported."""
    return ".".join(path.relative_to(ROOT / ("src" if "src" in path.parts else "tests")).with_suffix("").parts)


def related(file: str) -> list[list[Path]]:
    """Return the unit tests that import a module, those that import what imports it, and those of whole samples."""
    name = module(ROOT / file)
    others = [*(ROOT / "src").rglob("*.py"), *(ROOT / "tests/helpers").rglob("*.py")]
    users = {module(path) for path in others if name in imported(path)}
    tests = sorted((ROOT / "tests/unit").rglob("test_*.py"))
    near = [path for path in tests if name in imported(path)]
    return [near, [path for path in tests if path not in (*near, WHOLE) and users & imported(path)], [WHOLE]]


class Runner:
    """Runs tests in a copy of the repository, and keeps how long each file of tests takes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.times, self.sound, self.spent = folder, dict[Path, float](), dict[Path, bool](), 0.0
        for name in COPIED:
            kept = shutil.ignore_patterns("__pycache__", "results", ".snakemake", ".cd40l-flow", "logs")
            shutil.copytree(ROOT / name, folder / name, ignore=kept)
        for path in [*ROOT.glob("*.*"), ROOT / "Snakefile"]:
            if path.is_file():
                shutil.copy(path, folder)

    def run(self, test: Path) -> str:
        """Return which test of a file fails first, empty where none does. A fork has the libraries loaded already."""
        log = self.folder / "log"
        child = os.fork()
        if child == 0:
            code = 70
            try:
                code = self._tested(test, log)
            finally:
                os._exit(code)
        _, status, used = os.wait4(child, 0)
        self.times[test] = used.ru_utime + used.ru_stime
        self.spent += self.times[test]
        if os.WIFSIGNALED(status):
            return f"{test.name}, which does not end"
        if os.WEXITSTATUS(status) in (0, 5):
            return ""
        found = re.search(r"^(?:FAILED|ERROR) tests/unit/(\S+)", log.read_text(errors="replace"), re.MULTILINE)
        return found[1] if found else f"{test.name}, which cannot begin"

    def _tested(self, test: Path, log: Path) -> int:
        """Return pytest's exit code for a file of tests, in the copy; what it prints goes to the log."""
        os.chdir(self.folder)
        most = WHOLE_SECONDS if test == WHOLE else SECONDS
        resource.setrlimit(resource.RLIMIT_CPU, (most, most))
        with log.open("wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        options = ["-x", "-q", "-m", "not slow", "-p", "no:cacheprovider", "--hypothesis-seed=0"]
        code = pytest.main([*options, "-Wignore:Module already imported", str(test.relative_to(ROOT))])
        sys.stdout.flush()
        return int(code)

    def notice(self, mutant: Mutant) -> str:
        """Return which test notices a mutant, empty where none does; those go first that import its module."""
        place = self.folder / mutant.file
        kept, begin, broken = place.read_text(encoding="utf-8"), self.spent, mutant.source()
        for group in related(mutant.file):
            # The fastest first; of those not run yet the smallest.
            for test in sorted(group, key=lambda one: self.times.get(one, one.stat().st_size / 2000)):
                late = self.spent - begin > SECONDS and test != WHOLE
                if late or not self.sound.get(test, True):
                    continue
                place.write_text(broken, encoding="utf-8")
                by = self.run(test)
                place.write_text(kept, encoding="utf-8")
                if by and test not in self.sound:
                    self.sound[test] = not self.run(test)  # where nothing is broken
                if by and self.sound[test]:
                    return by
        return ""


def harmless() -> dict[tuple[str, str, str], str]:
    """Return why survivors that were looked at change nothing, by file, line of source and change."""
    with HARMLESS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return {(f"src/cd40l_flow/{row['file']}", row["line"], row["change"]): row["why"] for row in rows}


def page(results: list[tuple[Mutant, str]], seed: int) -> str:
    """Return the table."""
    rows, killed, changing_nothing, known = [], 0, 0, harmless()
    for mutant, by in sorted(results, key=lambda one: (one[0].file, one[0].line)):
        why = known.get((mutant.file, mutant.text, mutant.what), "")
        killed, changing_nothing = killed + bool(by), changing_nothing + bool(why and not by)
        fate = f"`{by}`" if by else f"survived, harmless: {why}" if why else "**survived**"
        name = mutant.file.removeprefix("src/cd40l_flow/")
        rows.append(f"| {name}:{mutant.line} | `{mutant.what[:120].replace('|', chr(92) + '|')}` | {fate} |")
    open_ones, rooms = len(results) - killed - changing_nothing, ", ".join(f"`{room}`" for room in ROOMS)
    head = (
        f"# Mutants\n\nWritten by `make mutants` (seed {seed}): one change of a line of {rooms} at a time, and\n"
        f"the first unit test that fails. Of {len(results)} drawn, {killed} were noticed "
        f"({killed / max(len(results), 1):.0%}), {changing_nothing} change nothing that a\nresult shows, "
        f"{open_ones} need a test.\n\n"
    )
    return head + "| line | change | noticed by |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutants", description=__doc__)
    parser.add_argument("--mutants", type=int, default=60, help="how many are drawn (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the draw (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=25, help="processor time to stop after (default: %(default)s)")
    parser.add_argument("--only", default="", help="only mutants whose file and change contain this text")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "mutants.md", help="file to write")
    options = parser.parse_args()
    os.nice(max(15 - os.nice(0), 0))
    results: list[tuple[Mutant, str]] = []
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    sys.dont_write_bytecode = True
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(threads, PYTHONPATH=f"{folder}/src")
        runner = Runner(Path(folder))
        for mutant in drawn(options.seed):
            if len(results) == options.mutants or runner.spent > 60 * options.minutes:
                break
            if options.only in f"{mutant.file} {mutant.what}":
                results.append((mutant, runner.notice(mutant)))
                print(f"{runner.spent:5.0f} s", mutant.file, mutant.line, mutant.what, "|", results[-1][1], flush=True)
                options.out.write_text(page(results, options.seed), encoding="utf-8")


if __name__ == "__main__":
    main()
