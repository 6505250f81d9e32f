"""Damaged files of the steps and of people, and what must hold of the answer to each: core of a test and a benchmark.

Every file must be refused in words, or be what it was; what people write (configurations, reviews, workspaces) may also
be another valid one. Nothing but our own errors may be raised.
"""

from __future__ import annotations

import io
import json
import math
import random
import shutil
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import yaml

from cd40l_flow.assay.limits import plain_limits
from cd40l_flow.base.errors import Cd40lFlowError, InputsError, RecordError
from cd40l_flow.base.plain_json import digest_of as content_digest
from cd40l_flow.cli.main import main
from cd40l_flow.cohort.laboratory import laboratory
from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.cohort.reference import load_reference
from cd40l_flow.figures.binned import read_densities
from cd40l_flow.interop.override_lines import find_overrides
from cd40l_flow.result.record import read_record
from cd40l_flow.result.reference import write_reference
from cd40l_flow.result.reviews.files import read_reviews
from cd40l_flow.result.reviews.signable import signable
from cd40l_flow.result.reviews.state import digest_of, review_state
from helpers.by_hand.cases import limits
from helpers.damage.changes import JSON_TEXT, TEXTUAL, YAML_TEXT, Change, change_markup, change_value, key_a_line
from helpers.results.controls import many_controls
from helpers.results.records import seal
from helpers.results.references import reference_of
from helpers.results.review_files import override, verdict
from helpers.runs.cohorts import make_cohort

SAMPLES = ("C01", "P05")
KINDS = ("results", "sealed results", "densities", "references", "reviews", "configurations", "workspaces")
TUBE = {"tube": "fcs", "stimulation": "stimulation", "reagent": "reagent"}


@dataclass
class Tally:
    """What became of the damaged files of one kind."""

    files: int = 0
    same: int = 0
    refused: int = 0
    other: int = 0
    changes: Counter[str] = field(default_factory=Counter)
    tracebacks: list[str] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)


class Bench:
    """A small cohort, analysed once, whose files are damaged one at a time in copies."""

    def __init__(self, folder: Path) -> None:
        self.cohort = make_cohort(folder / "cohort", list(SAMPLES))
        with quiet(), chdir(self.cohort):
            for sample in SAMPLES:
                assert main(["run", "--sample", sample]) == 0
        self.samples = self.cohort / "results" / "samples"
        self.work = folder / "work" / "samples"
        for sample in SAMPLES:
            shutil.copytree(self.samples / sample, self.work / sample)
        reference = folder / "reference.json"
        write_reference(reference_of(many_controls(12)), reference)
        self.reference = reference.read_bytes()
        self.result = read_record(self.work / "P05" / "result.json")

    def run(self, kind: str, count: int, seed: int) -> Tally:
        """Return the tally of ``count`` damaged files of one kind; the same arguments give the same files."""
        tally, source = Tally(), random.Random(f"{kind} {seed}")
        check: Callable[[random.Random, Tally], str] = getattr(self, f"_{kind.replace(' ', '_')}")
        for number in range(count):
            tally.files += 1
            said = io.StringIO()
            try:
                with redirect_stderr(said), redirect_stdout(said):
                    outcome = check(source, tally)
            except Exception as error:  # noqa: BLE001  whatever else is raised is what the test is for
                where = traceback.extract_tb(error.__traceback__)[-1]
                place = f"{Path(where.filename).name}, line {where.lineno}"
                tally.tracebacks.append(f"{kind} {number}: {place}: {type(error).__name__}: {error}"[:300])
                continue
            if outcome == "accepted":
                tally.accepted.append(f"{kind} {number}")
            else:
                setattr(tally, outcome, getattr(tally, outcome) + 1)
        return tally

    def _damaged(
        self, content: bytes, seeds: Sequence[bytes], source: random.Random, tally: Tally, kinds: Mapping[str, Change]
    ) -> bytes:
        kind = source.choice(("values", "values", *kinds) if kinds is JSON_TEXT else tuple(kinds))
        tally.changes[kind] += 1
        if kind != "values":
            return kinds[kind](content, seeds, source)
        return key_a_line(change_value(json.loads(content), source))

    def _results(self, source: random.Random, tally: Tally) -> str:
        path = self.work / "P05" / "result.json"
        contents = [(self.samples / sample / "result.json").read_bytes() for sample in reversed(SAMPLES)]
        path.write_bytes(self._damaged(contents[0], contents, source, tally, JSON_TEXT))
        years = source.random() < 0.3
        try:
            result = read_record(path, same_engine=not years)
        except RecordError as error:
            assert str(error).startswith(f"{path}: ")
            return "refused"
        return "same" if result == self.result else "accepted"

    def _sealed_results(self, source: random.Random, tally: Tally) -> str:
        """Results whose digest was made anew after the change: every command must take or refuse them in words."""
        path, control = (self.work / sample / "result.json" for sample in ("P05", "C01"))
        shutil.copy(self.samples / "P05" / "result.json", path)
        shutil.copy(self.samples / "C01" / "result.json", control)
        mine = control if source.random() < 0.3 else path
        tally.changes["values"] += 1
        value = change_value(json.loads(mine.read_bytes()), source) | {"digest": "0" * 64}
        mine.write_bytes(key_a_line(value))
        seal(mine)
        try:
            read_record(mine)
        except RecordError:
            return "refused"
        folder = self.work.parent
        out, both = str(folder / "out"), [str(path), str(control)]
        with chdir(self.cohort):
            for command in (
                ["report", "--result", str(path), "--controls", str(control), "--out", f"{out}.html"],
                [
                    "summarize",
                    *both,
                    "--summary",
                    f"{out}.tsv",
                    "--index",
                    f"{out}.index.html",
                    "--multiqc",
                    f"{out}.mqc",
                ],
                ["export", "--result", str(mine), "--measures", f"{out}.measures.tsv"],
                ["reference", str(control), "--out", f"{out}.reference.json"],
                ["override", "--from", str(mine.with_name("gates.wsp")), "--result", str(mine)]
                + ["--by", "me", "--reason", "a test", "--out", f"{out}.overrides.tsv"],
            ):
                assert main(command) in (0, 1, 2)
        return "other"

    def _densities(self, source: random.Random, tally: Tally) -> str:
        path = self.work / "P05" / "densities.npz"
        contents = [(self.samples / sample / "densities.npz").read_bytes() for sample in reversed(SAMPLES)]
        content = self._damaged(contents[0], contents, source, tally, TEXTUAL)
        path.write_bytes(content)
        try:
            read_densities(path, self.result)
        except RecordError as error:
            assert str(error).startswith(f"{path}: ")
            return "refused"
        return "same" if content == contents[0] else "accepted"

    def _references(self, source: random.Random, tally: Tally) -> str:
        path = self.work.parent / "reference.json"
        path.write_bytes(self._damaged(self.reference, [self.reference], source, tally, JSON_TEXT))
        sealed = source.random() < 0.4
        if sealed:
            try:
                value = json.loads(path.read_bytes())
                path.write_text(json.dumps(value | {"digest": content_digest(value)}), encoding="utf-8")
            except (AttributeError, ValueError, TypeError, RecursionError):
                sealed = False
        try:
            content = load_reference(path)
        except RecordError as error:
            assert str(error).startswith(f"{path}: ")
            return "refused"
        laboratory(content)
        if msgspec.to_builtins(content) == json.loads(self.reference):
            return "same"
        return "other" if sealed else "accepted"

    def _reviews(self, source: random.Random, tally: Tally) -> str:
        result = self.samples / "P05" / "result.json"
        told = {"sample": "P05", "result_digest": digest_of(result), "automatic_call": self.result.call}
        tube = {name: getattr(self.result.tubes[0], key) for name, key in TUBE.items()}
        good = override("REDUCED", gates=[verdict(**tube)], **told)
        path = self.work.parent / "review.json"
        path.write_bytes(self._damaged(json.dumps(good).encode(), [result.read_bytes()], source, tally, JSON_TEXT))
        found = read_reviews([path])
        review_state(signable(self.result, digest_of(result)), found)
        if found.problems:
            assert not found.reviews
            return "refused"
        return "same" if json.loads(path.read_bytes()) == good else "other"

    def _configurations(self, source: random.Random, tally: Tally) -> str:
        good = yaml.safe_load((self.cohort / "config/config.yaml").read_text(encoding="utf-8"))
        good |= {"limits": plain_limits(limits()), "panels": {"default": {"CD3": {"detector": "APC-H7-A"}}}}
        content = yaml.safe_dump(good, sort_keys=True).encode()
        path = self.cohort / "config/damaged.yaml"
        if source.random() < 0.6:
            tally.changes["values"] += 1
            path.write_text(yaml.safe_dump(change_value(good, source)), encoding="utf-8")
        else:
            kind = source.choice(tuple(YAML_TEXT))
            tally.changes[kind] += 1
            path.write_bytes(YAML_TEXT[kind](content, [content], source))
        with chdir(self.cohort):
            try:
                plan = load_plan("config/damaged.yaml")
            except InputsError as error:
                assert "config/" in str(error) or "cannot be read" in str(error)
                return "refused"
            plan.job("P05")
        return "same" if yaml.safe_load(path.read_bytes()) == good else "other"

    def _workspaces(self, source: random.Random, tally: Tally) -> str:
        name = source.choice(("gates.wsp", "gates.gatingml.xml"))
        content = (self.samples / "P05" / name).read_bytes()
        other = (self.samples / "C01" / name).read_bytes()
        path = self.work / "P05" / f"moved.{name}"
        kind = source.choice(("markup", "markup", *TEXTUAL))
        tally.changes[kind] += 1
        change = change_markup if kind == "markup" else TEXTUAL[kind]
        path.write_bytes(change(content, [other], source))
        try:
            found = find_overrides(self.result, path, by="me", reason="a test")
        except Cd40lFlowError as error:
            assert str(error).startswith(f"{path}: ") or "P05" in str(error)
            return "refused"
        assert all(_number(line["value"]) for line in found.lines), found.lines
        return "other" if found.lines or found.messages else "same"


def _number(text: str) -> bool:
    return math.isfinite(float(text))


class quiet(redirect_stderr[io.StringIO]):
    """Keep what is reported on standard error to itself."""

    def __init__(self) -> None:
        super().__init__(io.StringIO())
