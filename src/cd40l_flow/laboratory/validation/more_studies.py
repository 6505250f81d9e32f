"""The studies of stability, of agreement with the genotype and with another method."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from cd40l_flow.laboratory.validation.agreement import agreement
from cd40l_flow.laboratory.validation.estimate import Estimate
from cd40l_flow.laboratory.validation.methods import ASKED, FEWEST, bland_altman, deming, passing_bablok
from cd40l_flow.laboratory.validation.observations import Key, Observation, keys, paired
from cd40l_flow.laboratory.validation.stability import stability
from cd40l_flow.laboratory.validation.studies import label
from cd40l_flow.laboratory.validation.study import Plot, Study
from cd40l_flow.result.numbers import measure_kind, measure_label
from cd40l_flow.result.order import CALL_ORDER

# Agreement that EP12-A2 asks for: samples of each kind.
ASKED_AGREEMENT = 50
# The share of its first value by which a measure may change; customary in flow cytometry (H62), not validated.
ALLOWED = 0.2
_CALLS = ("", "calls")


def stability_study(observations: Sequence[Observation], allowed: float = ALLOWED) -> Study:
    """Return how every measure drifts with the hours from collection to stimulation."""
    study = Study(
        "stability",
        "Stability of the specimen",
        "CLSI EP25-A, H62",
        f"Change with the hours since collection, and until when it is below {100 * allowed:g} % of the first value.",
    )
    for key in keys(observations):
        if key[1] == "mutant_fraction":
            continue
        courses: dict[tuple[str, float | None], list[tuple[float, float]]] = {}
        for one in observations:
            if one.subject and one.hours is not None and key in one.values:
                courses.setdefault((one.subject, one.expected), []).append((one.hours, one.values[key]))
        found = stability(courses, allowed)
        if found is None:
            continue
        kind = measure_kind(key[1])
        study.add(key, "", "change in 24 h", found.per_day, kind)
        for hour, change in found.changes.items():
            study.add(key, f"at {hour:g} h", "mean change", change, kind)
        holds = Estimate(math.floor(found.holds), None, None, found.per_day.count, found.per_day.groups)
        study.add(key, f"allowed {100 * allowed:g} %, last seen {found.last:g} h", "holds until", holds, "hours")
        points = tuple(
            (subject, [hour for hour, _ in course], [value for _, value in course])
            for (subject, _), course in courses.items()
            if len(course) > 1
        )
        study.plots.append(Plot(label(key), "hours since collection", measure_label(key[1]), points))
    if not study.numbers:
        study.missing.append(
            "no blood at two times: give its samples the same subject, and the hours from collection to stimulation in "
            "the column collected_h."
        )
    elif len({one.run for one in observations if one.subject and one.hours is not None}) > 1:
        study.remarks.append("Times in several runs: a change includes differences between runs.")
    if (
        study.numbers
        and min(number.estimate.groups for number in study.numbers if number.quantity == "change in 24 h") < 3
    ):
        study.remarks.append("Fewer than three bloods: the intervals do not include differences between bloods.")
    return study


def agreement_study(observations: Sequence[Observation]) -> Study:
    """Return how calls agree with the genotype, one sample of every person."""
    study = Study(
        "agreement",
        "Agreement of the call with the genotype",
        "CLSI EP12",
        "Of people with a variant, how many are called with a finding; of people without, how many NORMAL.",
    )
    people: dict[str, Observation] = {}
    for one in observations:
        if one.genotype and one.expected is None:
            people.setdefault(one.person, one)
    found = agreement([(one.genotype, one.call) for one in people.values()])
    if found is None:
        study.missing.append(
            "no genotype: fill the column genotype; wild type (or normal, no variant, none) is no variant, every other "
            "text is one."
        )
        return study
    for kind, called, everyone in (
        ("a variant", found.positive, found.positive_all),
        ("no variant", found.negative, found.negative_all),
    ):
        name = "positive" if kind == "a variant" else "negative"
        study.add(_CALLS, f"{kind}, called", f"percent {name} agreement", called, "percent")
        study.add(_CALLS, f"{kind}, INDETERMINATE as wrong", f"percent {name} agreement", everyone, "percent")
        if everyone is None:
            study.missing.append(f"nobody with {kind}.")
        elif everyone.count < ASKED_AGREEMENT:
            study.few = True
            study.remarks.append(f"{everyone.count} with {kind}; EP12-A2 asks for {ASKED_AGREEMENT}.")
    for genotype, calls in found.table.items():
        counts = ", ".join(f"{calls[call]} {call}" for call in CALL_ORDER if call in calls)
        study.remarks.append(f"{genotype}: {counts}.")
    if any(one.subject for one in people.values()):
        study.remarks.append("Of every subject the first sample counts.")
    return study


def method_study(observations: Sequence[Observation], others: Mapping[Key, Mapping[str, float]] | None) -> Study:
    """Return the comparison with another method; ``others`` are its values by measure and sample, None without it."""
    study = Study(
        "method",
        "Comparison with another method",
        "CLSI EP09c",
        "This method against the other on the same samples: lines that allow for errors of both, and differences.",
    )
    if others is None:
        study.missing.append(
            "no other method: name a table of sample and negative_fraction (or another measure) with --method FILE."
        )
        return study
    twice = [name for name, count in Counter(one.sample for one in observations).items() if count > 1]
    for key, values in others.items():
        unclear = sorted(set(twice) & set(values))
        kept = {name: value for name, value in values.items() if name not in unclear}
        if unclear:
            study.remarks.append(
                f"{label(key)}: {', '.join(unclear[:5])} {'is' if len(unclear) == 1 else 'are'} in several runs and "
                "left out; give the table a column run."
            )
        pairs = list(paired(observations, key, kept))
        unknown = len(kept) - len(pairs)
        if unknown:
            study.remarks.append(f"{label(key)}: {unknown} samples of the table have no such measure here.")
        both = [(other, own) for _, other, own in pairs]
        if len(both) < FEWEST:
            study.missing.append(f"{label(key)}: {len(both)} samples have both; {FEWEST} are the fewest.")
            continue
        if len(both) < ASKED:
            study.few = True
            study.remarks.append(f"{label(key)}: {len(both)} samples; EP09c asks for {ASKED}.")
        _compare(study, key, both)
    return study


def _compare(study: Study, key: Key, both: Sequence[tuple[float, float]]) -> None:
    kind = measure_kind(key[1])
    x = [other for other, _ in both]
    ends = [min(x), max(x)]
    lines = [("equal", ends, ends)]
    for name, line in (("Deming", deming(both)), ("Passing-Bablok", passing_bablok(both))):
        if line is not None:
            study.add(key, name, "slope", line.slope, "number")
            study.add(key, name, "intercept", line.intercept, kind)
            lines.append((name, ends, [line.intercept.value + line.slope.value * end for end in ends]))
    points = (("samples", x, [own for _, own in both]),)
    study.plots.append(Plot(label(key), "other method", measure_label(key[1]), points, tuple(lines)))
    apart = bland_altman(both)
    if apart is None:
        return
    study.add(key, "Bland-Altman", "mean difference", apart.bias, kind)
    study.add(key, "Bland-Altman", "lower limit of agreement", apart.lower, kind)
    study.add(key, "Bland-Altman", "upper limit of agreement", apart.upper, kind)
    means = [(other + own) / 2 for other, own in both]
    span = [min(means), max(means)]
    limits = tuple(
        (name, span, [one.value] * 2)
        for name, one in (("mean", apart.bias), ("95 %", apart.lower), ("95 % ", apart.upper))
    )
    shown = (("samples", means, [own - other for other, own in both]),)
    study.plots.append(Plot(f"{label(key)}: differences", "mean of both", "this less other", shown, limits))
