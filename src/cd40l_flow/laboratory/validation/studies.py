"""The studies of precision, detection and linearity: which samples enter each, and its results."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

from cd40l_flow.laboratory.validation.detection import (
    ASKED,
    ASKED_RUNS,
    ASKED_SAMPLES,
    FEWEST,
    limit_of_blank,
    limit_of_blank_by_rank,
    limit_of_detection,
    spread_of_low,
)
from cd40l_flow.laboratory.validation.estimate import Estimate
from cd40l_flow.laboratory.validation.linearity import FEWEST_LEVELS, SERIES, linearity
from cd40l_flow.laboratory.validation.observations import Key, Observation, keys, materials
from cd40l_flow.laboratory.validation.precision import difference_of_runs, differences, precision
from cd40l_flow.laboratory.validation.study import Plot, Study
from cd40l_flow.mixture.proportion import wilson
from cd40l_flow.result.numbers import measure_kind, measure_label

# The levels of a series that count as low are those up to so many times the limit of blank (EP17-A2).
LOW_TIMES = 4.0


def label(key: Key) -> str:
    """Return reagent and measure in words."""
    return f"{key[0]} · {measure_label(key[1])}" if key[1] != "cd69_percent" else measure_label(key[1])


def precision_study(observations: Sequence[Observation]) -> Study:
    """Return repeatability and the precision between runs on one instrument."""
    study = Study(
        "precision",
        "Precision within and between runs",
        "CLSI EP05-A3, H62",
        "How far repeats of one blood lie apart in one run (repeatability), and from run to run on one instrument.",
    )
    bloods = materials(observations)
    for key in keys(observations):
        design: dict[tuple[str, float | None, str], dict[str, list[float]]] = {}
        for (subject, expected), samples in bloods.items():
            for one in samples:
                if key in one.values:
                    runs = design.setdefault((subject, expected, one.cytometer), {})
                    runs.setdefault(one.run, []).append(one.values[key])
        found = precision(design)
        if found is None:
            continue
        kind = measure_kind(key[1])
        study.add(key, "", "SD of repeats in a run", found.repeatability, kind)
        study.add(key, "", "SD between runs", found.between, kind)
        study.add(key, "", "SD within the laboratory", found.within_laboratory, kind)
        if found.mean > 0 and key[1] not in ("mutant_fraction", "negative_fraction"):
            study.add(key, "", "CV of repeats in a run", _percent(found.repeatability, found.mean), "percent")
            study.add(key, "", "CV within the laboratory", _percent(found.within_laboratory, found.mean), "percent")
        study.plots.append(_by_run(key, design))
    if not study.numbers:
        study.missing.append(
            "no repeats: give the samples of one blood the same text in the column subject, two or more in a run, and "
            "the same in other runs."
        )
    quantities = {number.quantity for number in study.numbers}
    if study.numbers and "SD of repeats in a run" not in quantities:
        study.missing.append(
            "no subject twice in one run, so repeatability cannot be separated from differences between runs."
        )
    if study.numbers and "SD between runs" not in quantities:
        study.missing.append("no subject in two runs of one instrument with repeats: nothing between runs.")
    freedom = min((n.estimate.groups for n in study.numbers if n.quantity == "SD of repeats in a run"), default=99)
    if freedom < 20:
        study.few = True
        study.remarks.append(f"Repeatability rests on {freedom} degrees of freedom; EP05-A3's design has 40 and more.")
    return study


def _percent(estimate: Estimate | None, mean: float) -> Estimate | None:
    """Return an SD in percent of the mean."""
    if estimate is None:
        return None
    low, high = (None if end is None else 100 * end / mean for end in (estimate.low, estimate.high))
    return Estimate(100 * estimate.value / mean, low, high, estimate.count, estimate.groups)


def _by_run(key: Key, design: dict[tuple[str, float | None, str], dict[str, list[float]]]) -> Plot:
    """Return the plot of every subject's values by run."""
    runs = sorted({run for of_runs in design.values() for run in of_runs})
    place = {run: number for number, run in enumerate(runs)}
    series = []
    for (subject, expected, _), of_runs in sorted(design.items(), key=str):
        pairs = [(float(place[run]), value) for run, values in of_runs.items() for value in values]
        if len(pairs) > 1:
            name = subject if expected is None else f"{subject}, {expected:g}"
            series.append((name, [x for x, _ in pairs], [y for _, y in pairs]))
    return Plot(label(key), "run", measure_label(key[1]), points=tuple(series), names=tuple(runs))


def instrument_study(observations: Sequence[Observation]) -> Study:
    """Return the precision between instruments and their differences on the same bloods."""
    study = Study(
        "instruments",
        "Between instruments",
        "CLSI EP05-A3, EP31-A-IR",
        "How far the same blood lies apart on two instruments: means of runs are compared.",
    )
    bloods = materials(observations)
    alone = False
    for key in keys(observations):
        design: dict[tuple[str, float | None], dict[str, list[float]]] = {}
        for material, samples in bloods.items():
            runs: dict[tuple[str, str], list[float]] = {}
            for one in samples:
                if key in one.values:
                    runs.setdefault((one.cytometer, one.run), []).append(one.values[key])
            for (cytometer, _), values in sorted(runs.items()):
                design.setdefault(material, {}).setdefault(cytometer, []).append(math.fsum(values) / len(values))
        both = {material: found for material, found in design.items() if len(found) > 1}
        kind = measure_kind(key[1])
        found = precision(both)
        if found is not None and found.between is not None:
            study.add(key, "", "SD between instruments", found.between, kind)
        names = sorted({name for of in both.values() for name in of})
        for first, second in combinations(names, 2):
            effects = _run_effects(bloods, key, first, second)
            apart = difference_of_runs(effects[first], effects[second])
            if apart is None:
                pairs = [(_mean(of[first]), _mean(of[second])) for of in both.values() if first in of and second in of]
                apart = differences(pairs)
                alone |= apart is not None
            study.add(key, f"{second} less {first}", "mean difference", apart, kind)
    if alone:
        study.remarks.append(
            "One run on an instrument: the intervals of its differences do not include differences between runs."
        )
    if not study.numbers:
        study.missing.append(
            "no two subjects on two instruments: measure the same bloods on both (column subject; the instrument is "
            "read from the files)."
        )
    return study


def _run_effects(
    bloods: Mapping[tuple[str, float | None], Sequence[Observation]], key: Key, first: str, second: str
) -> dict[str, list[float]]:
    """Return the effect of every run on two instruments: how far its bloods lie above their means on both."""
    above: dict[tuple[str, str], list[float]] = {}
    for samples in bloods.values():
        runs: dict[tuple[str, str], list[float]] = {}
        for one in samples:
            if key in one.values and one.cytometer in (first, second):
                runs.setdefault((one.cytometer, one.run), []).append(one.values[key])
        means = {place: _mean(values) for place, values in runs.items()}
        on = {name: [mean for (cytometer, _), mean in means.items() if cytometer == name] for name in (first, second)}
        if all(on.values()):
            centre = (_mean(on[first]) + _mean(on[second])) / 2
            for place, mean in means.items():
                above.setdefault(place, []).append(mean - centre)
    found: dict[str, list[float]] = {first: [], second: []}
    for (cytometer, _), apart in sorted(above.items()):
        found[cytometer].append(_mean(apart))
    return found


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def detection_study(observations: Sequence[Observation]) -> Study:
    """Return limits of blank and detection of the mutant fraction."""
    study = Study(
        "detection",
        "Limits of blank and detection",
        "CLSI EP17-A2",
        "The mutant fraction that 5 % of healthy bloods exceed (LoB); the one that exceeds it 95 times of 100 (LoD).",
    )
    for key in keys(observations):
        if key[1] == "mutant_fraction":
            _detect(study, key, [one for one in observations if key in one.values])
    if not study.numbers and not study.missing:
        study.missing.append("no mutant fraction: it needs a control in the run of every sample.")
    return study


def _detect(study: Study, key: Key, measured: Sequence[Observation]) -> None:
    blanks = [one for one in measured if one.expected == 0 or (one.expected is None and one.healthy)]
    people, runs = {one.person for one in blanks}, {one.run for one in blanks}
    blank = limit_of_blank([(one.person, one.run, one.values[key]) for one in blanks])
    if blank is None:
        study.missing.append(
            f"{label(key)}: {len(blanks)} blanks of {len(people)} people; a limit of blank needs {FEWEST} of 3 at "
            f"least, EP17-A2 asks for {ASKED} of {ASKED_SAMPLES} in {ASKED_RUNS} runs: 0 in the column "
            "expected_fraction marks healthy blood."
        )
        return
    if len(blanks) < ASKED or len(people) < ASKED_SAMPLES or len(runs) < ASKED_RUNS:
        study.few = True
        study.remarks.append(
            f"{label(key)}: provisional. The limit of blank rests on {len(blanks)} blanks of {len(people)} people in "
            f"{len(runs)} runs; EP17-A2 asks for {ASKED} of {ASKED_SAMPLES} in {ASKED_RUNS}, of two reagent lots each."
        )
    rest = f"{len(people)} people, {len(runs)} runs"
    study.add(key, rest, "LoB, by mean and SD", blank, "fraction")
    by_rank = limit_of_blank_by_rank([one.values[key] for one in blanks])
    study.add(key, rest, "LoB, by rank", by_rank, "fraction")
    levels: dict[float, list[tuple[str, str, float]]] = {}
    for one in measured:
        if one.expected:
            levels.setdefault(one.expected, []).append((one.person, one.run, one.values[key]))
    for level, values in sorted(levels.items()):
        above = sum(value > blank.value for *_, value in values)
        low, high = wilson(above / len(values), len(values))
        share = Estimate(100 * above / len(values), 100 * low, 100 * high, len(values))
        study.add(key, f"expected {100 * level:g} %", "above the LoB", share, "percent")
    low_ones = {level: values for level, values in levels.items() if level <= LOW_TIMES * blank.value}
    spread = spread_of_low(low_ones)
    if spread is None:
        study.missing.append(
            f"{label(key)}: no limit of detection without low levels of three people or more: samples of "
            f"expected_fraction above 0 and up to {LOW_TIMES * blank.value:.2g} (four times the limit of blank)."
        )
        return
    study.add(key, f"{len(low_ones)} low levels", "SD at low levels", spread, "fraction")
    study.add(key, f"{len(low_ones)} low levels", "LoD", limit_of_detection(blank, spread), "fraction")
    if spread.count < ASKED:
        study.few = True
        study.remarks.append(
            f"{label(key)}: provisional. The limit of detection rests on {spread.count} samples of {len(low_ones)} low "
            f"levels and {spread.groups} people; EP17-A2 asks for {ASKED}."
        )
    shown = [(0.0, one.values[key]) for one in blanks]
    shown += [(level, value) for level, values in sorted(low_ones.items()) for *_, value in values]
    end = max(low_ones)
    study.plots.append(
        Plot(
            label(key),
            "expected fraction",
            measure_label(key[1]),
            points=(("samples", [x for x, _ in shown], [y for _, y in shown]),),
            lines=(("LoB", [0, end], [blank.value] * 2),),
        )
    )


def linearity_study(observations: Sequence[Observation]) -> Study:
    """Return the line of the dilution series of every measure, and what lies off it."""
    study = Study(
        "linearity",
        "Linearity of a dilution series",
        "CLSI EP06, 2nd edition",
        "Measured against expected fraction: of the mutant fraction the slope should be 1 and the intercept 0.",
    )
    levels = {one.expected for one in observations if one.expected is not None}
    used = 0
    for key in keys(observations):
        if key[1] == "cd69_percent" or key[1] == "mfi_ratio":
            continue
        series: dict[tuple[str, str], list[tuple[float, float]]] = {}
        for one in observations:
            if one.expected is not None and key in one.values:
                series.setdefault((one.subject, one.run), []).append((one.expected, one.values[key]))
        found = linearity(series)
        if found is None:
            continue
        used = max(used, found.slope.groups)
        kind = measure_kind(key[1])
        study.add(key, "", "slope", found.slope, kind if kind == "percent" else "number")
        study.add(key, "", "intercept", found.intercept, kind)
        study.add(key, "", "bend at the middle", found.bend, kind)
        for level, (mean, deviation) in found.levels.items():
            study.add(key, f"expected {100 * level:g} %", "mean", mean, kind)
            study.add(key, f"expected {100 * level:g} %", "off the line", deviation, kind)
        ends = [min(found.levels, default=0.0), max(found.levels, default=1.0)]
        line = [found.intercept.value + found.slope.value * x for x in ends]
        points = tuple(
            (" ".join(name).strip(), [x for x, _ in pairs], [y for _, y in pairs]) for name, pairs in series.items()
        )
        study.plots.append(
            Plot(label(key), "expected fraction", measure_label(key[1]), points, (("line", ends, line),))
        )
    if not study.numbers:
        study.missing.append(
            f"no dilution series: fill the column expected_fraction of at least {FEWEST_LEVELS} levels of one subject "
            f"in one run; there are {len(levels)} in all."
        )
    elif used < SERIES:
        study.few = True
        study.remarks.append(
            f"Fewer than {SERIES} runs and subjects: values of one run share its control, which these intervals ignore."
        )
    return study
