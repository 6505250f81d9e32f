"""What ``validate`` gives back of laboratories whose truth is known: ``python -m benchmarks.laboratory.validation``.

Writes validation.md. Many laboratories of drawn numbers, each through all studies; then one of simulated blood, from
FCS files through the workflow and the command.
"""

from __future__ import annotations

import argparse
import csv
import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.common.places import PAGES
from benchmarks.common.timing import command, machine
from benchmarks.speed.scale import snakemake
from cd40l_flow.laboratory.validation.estimate import Estimate
from cd40l_flow.laboratory.validation.observations import Observation
from cd40l_flow.laboratory.validation.page import studies
from cd40l_flow.laboratory.validation.study import Number, Study
from cd40l_flow.simulate import Scenario, healthy_control, write_cohort
from cd40l_flow.simulate.write import SAMPLE_COLUMNS, sample_row, tube_rows, write_config

KEY = ("CD154", "mutant_fraction")
NEGATIVE = ("CD154", "negative_fraction")
# A laboratory of drawn numbers: SDs of the negative fraction and what is the same in all of them.
PEOPLE, RUNS, REPEATS, INSTRUMENT = 0.04, 0.012, 0.008, 0.015
HEALTHY, PER_DAY = 0.10, -0.6
LEVELS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 0.8)
SENSITIVITY, SPECIFICITY = 0.95, 0.98
OTHER_SLOPE = 0.95
# The simulated blood: its second instrument, and how its expression changes in a day.
OTHER_INSTRUMENT, BLOOD_PER_DAY = "navios", -0.1


@dataclass(frozen=True)
class Truth:
    """One number whose truth is known: study, quantity, start of the group's name, and the measure it is of."""

    study: str
    quantity: str
    truth: float
    key: tuple[str, str] = NEGATIVE
    group: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.laboratory.validation", description=__doc__)
    parser.add_argument("--laboratories", type=int, default=200, help="laboratories of drawn numbers")
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2], help="seeds of the simulated blood (1 and 2)")
    parser.add_argument("--cores", type=int, default=2, help="cores of Snakemake (default: %(default)s)")
    parser.add_argument("--keep", type=Path, help="leave the last validation file of simulated blood in this folder")
    parser.add_argument("--out", type=Path, default=PAGES / "validation.md", help="file to write")
    options = parser.parse_args()
    drawn = coverage(range(options.laboratories))
    blood = {seed: through_the_workflow(seed, options.cores, options.keep) for seed in options.seeds}
    text = page(drawn, options.laboratories, blood, sys.argv[1:])
    options.out.write_text(text, encoding="utf-8")
    print(text)


def drawn_laboratory(seed: int) -> tuple[list[Observation], dict[tuple[str, str], dict[str, float]]]:
    """Return the samples of a laboratory of drawn numbers, and the values of another method.

    Ten runs on two instruments. Four donors twice in every run; sixty healthy people, once in a run; dilution series
    of three donors in six runs; the bloods of five people over three days; people of known genotype.
    """
    draw = np.random.default_rng([seed, 40])
    of_run = {f"R{number:02d}": draw.normal(0, RUNS) for number in range(10)}
    on = {run: "A" if number < 5 else "B" for number, run in enumerate(of_run)}
    bias = {"A": 0.0, "B": INSTRUMENT}
    number = 0
    latent: dict[str, float] = {}

    def sample(run: str, subject: str, share: float, **more: Any) -> Observation:
        nonlocal number
        number += 1
        latent[f"S{number:04d}"] = share + of_run[run] + bias[on[run]]
        negative = latent[f"S{number:04d}"] + draw.normal(0, REPEATS)
        values = {NEGATIVE: negative, KEY: 1 - (1 - negative) / (1 - HEALTHY), ("CD154", "mfi_ratio"): 1.0}
        values[("CD154", "mfi_ratio")] += more.pop("drift", 0.0) + draw.normal(0, 0.02)
        shown = {"expected": None, "genotype": "", "hours": None, "call": "NORMAL", **more}
        return Observation(
            sample=f"S{number:04d}", run=run, cytometer=on[run], subject=subject, healthy=False, failed=False,
            values=values, **shown,
        )  # fmt: skip

    def person() -> float:
        return float(HEALTHY + draw.normal(0, PEOPLE))

    found = []
    for donor in range(4):
        own = person()
        found += [sample(run, f"D{donor}", own) for run in of_run for _ in range(2)]
    on_a = [run for run in of_run if on[run] == "A"]
    for number_of in range(60):
        found.append(sample(on_a[number_of % len(on_a)], f"H{number_of:02d}", person(), expected=0.0))
    for series in range(12):
        own = person()
        for level in LEVELS:
            share = 1 - (1 - level) * (1 - own)
            found.append(sample(on_a[series % len(on_a)], f"L{series}", share, expected=level))
    for blood in range(5):
        own, fast = person(), draw.normal(0, 0.1)
        for hours in (0.0, 8.0, 24.0, 48.0, 72.0):
            drift = (PER_DAY + fast) / 10 * hours / 24
            found.append(sample("R00", f"T{blood}", own, hours=hours, drift=drift))
    for patient in range(60):
        call = "ABSENT" if draw.random() < SENSITIVITY else "NORMAL"
        found.append(sample("R00", f"V{patient:02d}", 0.99, genotype="c.761C>T", call=call))
        call = "NORMAL" if draw.random() < SPECIFICITY else "REDUCED"
        found.append(sample("R00", f"W{patient:02d}", person(), genotype="wild type", call=call))
    others = {
        one.sample: latent[one.sample] / OTHER_SLOPE + draw.normal(0, REPEATS)
        for one in found
        if one.expected is not None
    }
    return found, {NEGATIVE: others}


def truths() -> list[Truth]:
    """Return what is true of every laboratory of drawn numbers."""
    one_person = math.sqrt(PEOPLE**2 + RUNS**2 + REPEATS**2) / (1 - HEALTHY)
    blank = 1.6448536 * one_person
    # At a level f only 1 - f of the cells are the person's own.
    low = [f for f in LEVELS if 0 < f <= 4 * blank]
    others = sum((PEOPLE * (1 - f)) ** 2 + RUNS**2 + REPEATS**2 for f in low) / len(low)
    return [
        Truth("precision", "SD of repeats in a run", REPEATS),
        Truth("precision", "SD between runs", RUNS),
        Truth("precision", "SD within the laboratory", math.hypot(RUNS, REPEATS)),
        Truth("instruments", "mean difference", INSTRUMENT),
        Truth("detection", "LoB, by mean and SD", blank, KEY),
        Truth("detection", "LoB, by rank", blank, KEY),
        Truth("detection", "LoD", blank + 1.6448536 * math.sqrt(others) / (1 - HEALTHY), KEY),
        Truth("linearity", "slope", 1.0, KEY),
        Truth("linearity", "intercept", 0.0, KEY),
        Truth("linearity", "bend at the middle", 0.0, KEY),
        Truth("stability", "change in 24 h", PER_DAY / 10, ("CD154", "mfi_ratio")),
        Truth("agreement", "percent positive agreement", 100 * SENSITIVITY, ("", "calls"), "a variant, called"),
        Truth("agreement", "percent negative agreement", 100 * SPECIFICITY, ("", "calls"), "no variant, called"),
        Truth("method", "slope", OTHER_SLOPE, NEGATIVE, "Deming"),
        Truth("method", "intercept", 0.0, NEGATIVE, "Deming"),
        Truth("method", "slope", OTHER_SLOPE, NEGATIVE, "Passing-Bablok"),
        Truth("method", "intercept", 0.0, NEGATIVE, "Passing-Bablok"),
    ]


def coverage(seeds: Sequence[int]) -> list[tuple[Truth, int, int, float]]:
    """Return each truth with how many intervals held it, how many there were, and the mean of the estimates."""
    wanted = truths()
    held = dict.fromkeys(wanted, 0)
    values: dict[Truth, list[float]] = {truth: [] for truth in wanted}
    for seed in seeds:
        found = numbers_of(studies(*drawn_laboratory(seed), 0.2))
        for truth in wanted:
            one = estimate_of(found, truth)
            values[truth].append(one.value)
            held[truth] += holds(one, truth.truth)
    return [(truth, held[truth], len(values[truth]), float(np.mean(values[truth]))) for truth in wanted]


def numbers_of(found: Sequence[Study]) -> list[tuple[str, Number]]:
    """Return every number with the name of its study."""
    return [(study.name, number) for study in found for number in study.numbers]


def estimate_of(found: Sequence[tuple[str, Number]], truth: Truth) -> Estimate:
    """Return the estimate of a truth; raises StopIteration where there is none."""
    return next(
        number.estimate
        for study, number in found
        if (study, number.key, number.quantity) == (truth.study, truth.key, truth.quantity)
        and number.group.startswith(truth.group)
    )


def holds(one: Estimate, truth: float) -> bool:
    """Return whether an interval holds a truth; an end that is open holds everything."""
    return (one.low is None or one.low <= truth) and (one.high is None or truth <= one.high)


def blood_cohort(seed: int) -> list[tuple[Scenario, dict[str, Any]]]:
    """Return samples of blood with their rows of the sheet: four runs on two instruments, each with its control."""
    draw = np.random.default_rng([seed, 41])
    instruments = dict(zip(("R1", "R2", "R3", "R4"), (*["default"] * 2, *["navios"] * 2), strict=True))
    found: list[tuple[Scenario, dict[str, Any]]] = []

    def add(scenario: Scenario, **sheet: Any) -> None:
        on = scenario if instruments[scenario.run] == "default" else replace(scenario, instrument=OTHER_INSTRUMENT)
        found.append((on, sheet))

    def person() -> float:
        return float(np.clip(HEALTHY + draw.normal(0, PEOPLE), 0.01, 0.3))

    def name(word: str) -> str:
        return f"{word}{len(found):03d}"

    for run in instruments:
        add(replace(healthy_control(f"C-{run}", run), negative_fraction=HEALTHY))
    for donor in range(2):
        own = person()
        for run in instruments:
            for _ in range(3):
                add(Scenario(name("D"), run=run, negative_fraction=own), subject=f"D{donor}")
    for _ in range(24):
        run = "R1" if len(found) % 2 else "R2"
        add(Scenario(name("H"), run=run, negative_fraction=person()), subject=name("HP"), expected_fraction=0.0)
    for donor, run in enumerate(("R1", "R2", "R3")):
        own = person()
        for level in LEVELS:
            share = 1 - (1 - level) * (1 - own)
            add(Scenario(name("L"), run=run, negative_fraction=share), subject=f"L{donor}", expected_fraction=level)
    for blood in range(3):
        for hours in (0.0, 24.0, 48.0, 72.0):
            level = 1 + BLOOD_PER_DAY * hours / 24
            add(Scenario(name("T"), run="R4", expression_level=level, collected_h=hours), subject=f"T{blood}")
    for _ in range(6):
        add(Scenario(name("V"), run="R2", negative_fraction=0.99, expression_level=0.05), genotype="c.761C>T")
        add(Scenario(name("W"), run="R2", negative_fraction=person()), genotype="wild type")
    return found


def through_the_workflow(seed: int, cores: int, keep: Path | None) -> list[tuple[str, float, Estimate]]:
    """Return the estimates of truths in the validation file of the simulated blood: name, truth, estimate."""
    cohort = blood_cohort(seed)
    with TemporaryDirectory() as folder:
        directory = Path(folder)
        write_cohort(directory, seed, cohort=[scenario for scenario, _ in cohort])
        more = ("subject", "genotype", "expected_fraction")
        lines = [
            [*sample_row(one, SAMPLE_COLUMNS), *(f"{sheet.get(name, '')}" for name in more)] for one, sheet in cohort
        ]
        tubes = [row for scenario, _ in cohort for row in tube_rows(scenario)]
        write_config(directory / "config", (*SAMPLE_COLUMNS, *more), lines, tubes)
        snakemake(directory, "--cores", str(cores), "results/summary.tsv", "--quiet")
        page_of = (keep or directory) / "validation.html"
        program = [sys.executable, "-m", "cd40l_flow.cli.main", "validate", str(directory / "results")]
        subprocess.run([*program, "--out", str(page_of)], check=True, capture_output=True)
        with page_of.with_suffix(".tsv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        stated = _stated_error(directory / "results", [one.sample for one, _ in cohort if one.sample.startswith("D")])
    blank = 1.6448536 * math.hypot(PEOPLE, stated) / (1 - HEALTHY)
    wanted = [
        ("precision", "CD154 negative_fraction", "SD of repeats in a run", stated),
        ("precision", "CD154 negative_fraction", "SD between runs", 0.0),
        ("instruments", "CD154 negative_fraction", "mean difference", 0.0),
        ("detection", "CD154 mutant_fraction", "LoB, by mean and SD", blank),
        ("linearity", "CD154 mutant_fraction", "slope", 1.0),
        ("linearity", "CD154 mutant_fraction", "intercept", 0.0),
        ("linearity", "CD154 mutant_fraction", "bend at the middle", 0.0),
        ("linearity", "CD40-Ig mutant_fraction", "slope", 1.0),
        ("linearity", "CD40-Ig mutant_fraction", "intercept", 0.0),
        ("stability", "CD154 mfi_ratio", "change in 24 h", BLOOD_PER_DAY),
        ("agreement", "calls", "percent positive agreement", 100.0),
        ("agreement", "calls", "percent negative agreement", 100.0),
    ]
    return [
        (f"{measure}: {quantity}", truth, _row(rows, study, measure, quantity))
        for study, measure, quantity, truth in wanted
    ]


def _row(rows: Sequence[Mapping[str, str]], study: str, measure: str, quantity: str) -> Estimate:
    row = next(row for row in rows if (row["study"], row["measure"], row["quantity"]) == (study, measure, quantity))
    low, high = (float(row[name]) if row[name] else None for name in ("low_95", "high_95"))
    return Estimate(float(row["value"]), low, high, int(row["values"]), int(row["groups"]))


def _stated_error(results: Path, samples: Sequence[str]) -> float:
    """Return the root mean square of the standard errors that the results of the repeats state themselves."""
    with (results / "summary.tsv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["sample"] in samples]
    ends = [[float(row[f"cd154_negative_fraction_{end}"]) for end in ("low", "high")] for row in rows]
    return math.sqrt(sum(((high - low) / (2 * 1.96)) ** 2 for low, high in ends) / len(ends))


def _end(value: float | None) -> str:
    return "open" if value is None else f"{value:.4g}"


def page(
    drawn: Sequence[tuple[Truth, int, int, float]],
    laboratories: int,
    blood: Mapping[int, Sequence[tuple[str, float, Estimate]]],
    arguments: Sequence[str],
) -> str:
    """Return validation.md."""
    lines = [
        "| study | of | quantity | truth | mean estimate | intervals that hold it |",
        "|---|---|---|---:|---:|---:|",
    ]
    for truth, held, count, mean in drawn:
        what = " ".join(part for part in (*truth.key, truth.group and f"({truth.group})") if part)
        cells = (truth.study, what, truth.quantity, f"{truth.truth:.4g}", f"{mean:.4g}", f"{100 * held / count:.1f} %")
        lines.append(f"| {' | '.join(cells)} |")
    shown = []
    for seed, rows in blood.items():
        shown += [
            f"Seed {seed}:",
            "",
            "| quantity | truth | estimate | 95 % interval | holds it |",
            "|---|---:|---:|---:|---|",
        ]
        for name, true, one in rows:
            verdict = "yes" if holds(one, true) else "**no**"
            shown.append(f"| {name} | {true:.4g} | {one.value:.4g} | {_end(one.low)} to {_end(one.high)} | {verdict} |")
        shown.append("")
    simulated = f"""
## Simulated blood through the workflow

Samples of four runs on two instruments, from FCS files to `cd40l-flow validate`. Two donors three times in every run,
24 healthy people, three dilution series (0, 2, 5, 10, 20, 50, 80 %), three bloods whose expression falls by a tenth a
day, six affected boys and six healthy ones with their genotype. The truth of the SD of repeats is the error that the
results of those repeats state themselves, by their intervals.

{chr(10).join(shown)}"""
    return f"""# What `validate` gives back

Written by `{command("laboratory.validation", arguments)}`.

## Laboratories of drawn numbers

{laboratories} laboratories, each with ten runs on two instruments, four donors twice in every run, sixty healthy
people, twelve dilution series, five bloods over three days, 120 people of known genotype and another method. People,
runs, instruments and repeats differ by known SDs, and all samples of a run share what is the run's. A 95 % interval
should hold the truth in 95 of 100 laboratories.

{chr(10).join(lines)}
{simulated if blood else ""}
{machine()}
"""


if __name__ == "__main__":
    main()
