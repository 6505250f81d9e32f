"""Calls of samples that share nothing with the product's simulator: ``python -m benchmarks.independent``.

Cells, stains and cytometers are those of `independent_cells`, laboratories and their files those of
`independent_files`, the families and their truth those of `independent_families`.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np
from benchmarks import independent_families as known
from benchmarks.independent_cells import Bench, Floats, Person, Stain, tube
from benchmarks.independent_families import FAMILIES, HARM, OPEN, Family
from benchmarks.independent_files import LABORATORIES, Laboratory, true_spill, write_fcs, write_sheets

from cd40l_flow.analyse import analyse
from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.result.types.result import Result

OUT = Path(__file__).parent / "independent.md"
SAMPLES, SAMPLES_A_RUN = 12, 4
HELD_OUT = 1000
COMPENSATION_ERROR = 0.04
USUAL_VOLTS, OTHER_VOLTS = 500, 440


@dataclass(frozen=True)
class Judged:
    """One sample: where it comes from, its call and reasons, and whether it is right, harmful, open, plain."""

    family: Family
    laboratory: str
    run: int
    sample: str
    call: str
    reasons: tuple[str, ...]
    qc: str
    guards: str

    @property
    def right(self) -> bool:
        """Whether the call is the sample's; of a slight carrier NORMAL is, for no assay distinguishes the two."""
        return self.call in self.family.right or (self.family.truth == "slight carrier" and self.call == known.NORMAL)

    @property
    def harmful(self) -> bool:
        """Whether the call could harm."""
        return self.call in HARM[self.family.truth]

    @property
    def open(self) -> bool:
        """Whether no call was made."""
        return self.call == OPEN

    @property
    def call_is_plain(self) -> bool:
        """Whether there is nothing to look at: right, and not because no call was made."""
        return self.right and not self.harmful and not (self.open and self.family.truth != "failed")

    @property
    def where(self) -> str:
        """What to run to see it again."""
        return f"{self.family.name}, run {self.run} ({self.laboratory}), {self.sample}"


def write_run(folder: Path, family: Family, number: int, seed: int, samples: int) -> Laboratory:
    """Write one run of a family: its laboratory, controls and samples; the same for the same seed."""
    random = np.random.default_rng([seed, number, *family.name.encode()])
    suited = [one for one in LABORATORIES if one.function or not family.needs_function]
    laboratory = suited[int(random.integers(len(suited)))]
    bench = replace(known.bench_of(random), spill=true_spill(laboratory), whole_blood=laboratory.whole_blood)
    bench = family.bench(bench, random) if family.bench else bench
    law = known.law_of(random)
    stated = _stated(bench.spill, random)
    controls = int(random.choice([1, 2, 3], p=[0.5, 0.35, 0.15]))
    people: list[tuple[str, Person, bool]] = []
    for k in range(controls):
        person = known.person_of(random, law)
        touched = k == 0 or not family.one_control
        people.append((f"C{k + 1}", family.control(person, random) if touched else person, True))
    people += [(f"S{k + 1}", family.person(known.person_of(random, law), random), False) for k in range(samples)]
    (folder / "fcs").mkdir()
    rows, tubes = [], []
    for sample, person, control in people:
        sheet = (
            {"sex": "F", "age_years": "35"} if control else {**dict(family.sheet or {"sex": "M", "age_years": "20"})}
        )
        usual = {"transplant": "no", "calcineurin_inhibitor": "no", "steroid": "no", "anti_cd154": "no"}
        rows.append({"sample": sample, "run": "R1", "role": "control" if control else "test", **usual, **sheet})
        tubes += _acquire(folder, family, laboratory, bench, stated, sample, person, control, law, random)
    write_sheets(folder, laboratory, rows, tubes, laboratory.function)
    return laboratory


def _stated(spill: Floats, random: np.random.Generator) -> Floats:
    """Return the matrix that a laboratory believes in: each coefficient a little wrong."""
    wrong = spill * np.exp(COMPENSATION_ERROR * random.standard_normal(spill.shape))
    np.fill_diagonal(wrong, 1.0)
    return wrong


def _acquire(
    folder: Path,
    family: Family,
    laboratory: Laboratory,
    bench: Bench,
    stated: Floats,
    sample: str,
    person: Person,
    control: bool,
    law: str,
    random: np.random.Generator,
) -> list[tuple[str, str, str, str]]:
    """Write the tubes of one sample and return their rows."""
    events = max(known.events_of(random), 12_000 if control else 0)
    isotype = random.uniform(0.6, 1.5)
    change = family.control_stain if control else family.stain
    volts = OTHER_VOLTS if family.other_volts and not control else USUAL_VOLTS
    rows = []
    stranger = known.person_of(random, law)
    held: dict[tuple[str, str], dict[str, Floats]] = {}
    for stimulation, reagent in laboratory.tubes:
        stain = Stain(
            reagent,
            stimulation == "stimulated",
            round(events * random.uniform(0.8, 1.2)),
            isotype_sticks=isotype,
            factors=tuple(np.exp(0.04 * random.standard_normal(5)).tolist()),
        )
        stain = change(stain, random) if change else stain
        whose = stranger if not control and (stimulation, reagent) in family.stranger else person
        held[stimulation, reagent] = tube(whose, stain, bench, random)
    for stimulation, reagent in laboratory.tubes:
        source = (
            (stimulation, reagent) if control else family.exchanged.get((stimulation, reagent), (stimulation, reagent))
        )
        name = f"{sample}_{stimulation[:-6]}_{reagent}.fcs"
        write_fcs(folder / "fcs" / name, held[source], reagent, laboratory, stated, volts)
        rows.append((sample, name, stimulation, reagent))
    return rows


def judge(family: Family, number: int, seed: int, samples: int) -> list[Judged]:
    """Write one run, analyse it as the workflow does, and judge its calls."""
    found = []
    # What a run's titration predicts is shown and decides nothing; it is most of a control's time.
    titration = patch("cd40l_flow.analyse.with_titration", lambda terms, expression, limits: terms)
    with titration, TemporaryDirectory() as folder, contextlib.chdir(folder):
        laboratory = write_run(Path(), family, number, seed, samples)
        plan = load_plan("config.yaml")
        controls: dict[str, Result] = {}
        for name, sample in plan.samples.items():
            if sample.role == "control":
                controls[name] = analyse(plan.job(name), {})[0]
        for name, sample in plan.samples.items():
            if sample.role != "control":
                result, _ = analyse(plan.job(name), controls)
                found.append(
                    Judged(
                        family,
                        laboratory.name,
                        number,
                        name,
                        result.call,
                        tuple(result.reasons),
                        result.qc,
                        _fired(result),
                    )
                )
    return found


def _fired(result: Result) -> str:
    """Return the guards that stood in the way of a call in words."""
    return "; ".join(
        f"{one.code} {one.reagent or ''} {'' if one.value is None else f'{one.value:.3g}'} {one.message[:90]}"
        for one in result.guards
        if one.code in result.reasons and one.fired is not False and one.code != "ACQ_QC"
    )


def every(seed: int, samples: int, names: Sequence[str]) -> list[Judged]:
    """Judge all families, or those whose name begins with one of ``names``."""
    found: list[Judged] = []
    for family in FAMILIES:
        if names and not family.name.startswith(tuple(names)):
            continue
        for number, first in enumerate(range(0, samples, SAMPLES_A_RUN)):
            run = judge(family, number, seed, min(SAMPLES_A_RUN, samples - first))
            found += run
            lines = [
                f"{one.sample} {one.call} {','.join(one.reasons)} [{one.guards}]"
                for one in run
                if not one.call_is_plain
            ]
            print(f"{family.name}, run {number} ({run[0].laboratory})", *lines, sep="\n    ", flush=True)
    return found


def page(found: Sequence[Judged], command: str) -> str:
    """Return the page of the benchmark."""
    families = list(dict.fromkeys(one.family.name for one in found))
    rows = "\n".join(_row([one for one in found if one.family.name == family]) for family in families)
    harmful = [one for one in found if one.harmful]
    wrong = [one for one in found if not (one.right or one.harmful or one.open)]
    plain = [one for one in found if one.family.plain and one.family.truth != "failed"]
    owed = [one for one in plain if one.open]
    reasons = Counter(f"{one.family.name}: {', '.join(one.reasons)}" for one in owed)
    by_laboratory = "\n".join(
        f"| {name} | {len(own)} | {sum(one.right for one in own)} | {sum(one.open for one in own)} "
        f"| {sum(one.harmful for one in own)} |"
        for name in dict.fromkeys(one.laboratory for one in found)
        for own in ([one for one in found if one.laboratory == name],)
    )
    return f"""# Calls of samples from an independent simulation

Written by `{command}`. {len(families)} families, {len(found)} samples, of
{len(LABORATORIES)} laboratories: other panels, tubes and files, one to three controls, 2,000 to 100,000 events a tube.
Cells, stains and cytometers (`benchmarks/independent_cells.py`) share neither code nor laws with the product's
simulator. Limits are the default ones. Seeds from {HELD_OUT} on were not used for tuning.

**Harmful** is an affected sample called NORMAL, a healthy one called affected, a carrier called NORMAL, ABSENT or
FUNCTIONAL_DEFECT, and any call where the assay failed; **wrong** another call that is not the sample's. **Plain** are
families that a good assay decides.

No file can show three of the things drawn here: that a dim healthy person with a very bright control is healthy (two
healthy people differ by a factor of two in one pair of 20), that old blood expresses less although CD69 is there, and
that the only stained tube of a sample is another person's of like composition.

| samples | right | harmful | of them without a word (QC pass) | wrong | plain | plain left open |
|---:|---:|---:|---:|---:|---:|---:|
| {len(found)} | {sum(one.right for one in found)} | {len(harmful)} | {sum(one.qc == "pass" for one in harmful)} \
| {len(wrong)} | {len(plain)} | {len(owed)} |

| family | samples | right | open | harmful | wrong | calls (reasons of those left open) |
|---|---:|---:|---:|---:|---:|---|
{rows}

| laboratory | samples | right | open | harmful |
|---|---:|---:|---:|---:|
{by_laboratory}

## Harmful calls

{_list(harmful)}

## Other wrong calls

{_list(wrong)}

## Plain samples left open

{chr(10).join(f"- {count} x {what}" for what, count in reasons.most_common()) or "None."}
"""


def _list(some: Sequence[Judged]) -> str:
    return "\n".join(f"- {one.where}: {one.call} {', '.join(one.reasons)}".rstrip() for one in some) or "None."


def _row(own: Sequence[Judged]) -> str:
    calls = ", ".join(f"{call} {count}" for call, count in Counter(one.call for one in own).most_common())
    reasons = Counter(reason for one in own if one.open for reason in one.reasons)
    why = f" ({', '.join(f'{code} {count}' for code, count in reasons.most_common(4))})" if reasons else ""
    right, harmful = sum(one.right for one in own), sum(one.harmful for one in own)
    wrong = sum(not (one.right or one.harmful or one.open) for one in own)
    left = sum(one.open for one in own)
    return f"| {own[0].family.name} | {len(own)} | {right} | {left} | {harmful} | {wrong} | {calls}{why} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.independent", description=__doc__)
    parser.add_argument("--seed", type=int, default=HELD_OUT, help="(default: %(default)s)")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="of each family (default: %(default)s)")
    parser.add_argument("--only", nargs="*", default=[], help="beginnings of the names of families (default: all)")
    parser.add_argument("--keep", type=Path, help="write one run (--only, --run) into this folder instead")
    parser.add_argument("--run", type=int, default=0, help="number of the run to keep (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=OUT, help="file to write")
    options = parser.parse_args()
    if options.keep is not None:
        family = next(one for one in FAMILIES if one.name == options.only[0])
        options.keep.mkdir(parents=True)
        write_run(options.keep, family, options.run, options.seed, SAMPLES_A_RUN)
        return
    command = " ".join(["python -m benchmarks.independent", *sys.argv[1:]])
    text = page(every(options.seed, options.samples, options.only), command)
    options.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
