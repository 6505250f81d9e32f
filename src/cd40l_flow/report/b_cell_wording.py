"""The calls of the assays of B cells in words, from the texts of each assay; never a diagnosis, never reassurance."""

from __future__ import annotations

from cd40l_flow.assay.effects import INDETERMINATE
from cd40l_flow.assay.texts import Texts, texts_of
from cd40l_flow.base.model import Sample
from cd40l_flow.decision.b_cells.measures import Cd40Measures, MemoryMeasures
from cd40l_flow.decision.b_cells.switched import AgeFinding, deciding
from cd40l_flow.decision.calls import Decision

# Smaller values are not written as 0: percent, and ratio.
_SMALLEST, _SMALLEST_RATIO = 0.01, 0.005
_OPEN = {"BETWEEN_LIMITS"}
# Where an interval is open, these do not explain anything that must be corrected.
_SAID_ELSEWHERE = {
    "AGE_UNKNOWN",
    "AGE_TOO_YOUNG",
    "IGM_ONLY",
    "PLASMABLASTS",
    "HSCT",
    "TRANSFUSION",
    "STEROID",
    "DOUBLETS",
}


def memory_statement(
    sample: Sample, measures: MemoryMeasures | None, age: AgeFinding, decision: Decision
) -> tuple[str, ...]:
    """Return what the call of switched memory B cells means for this sample, in sentences."""
    words = texts_of("memory_b")["interpretation"]
    if sample.role == "control":
        return (words["control"]["not_met" if decision.call == INDETERMINATE else "met"],)
    sentences = [] if measures is None else _share(measures, age, words, known=sample.age_years is not None)
    sentences += _of_call(decision, words)
    fired = {guard.code for guard in decision.guards if guard.fired}
    if measures is not None and "TOO_FEW_B" in fired:
        high = deciding(measures)[1].high
        if high is not None:
            sentences.append(words["few_b"].format(events=f"{measures.b_events:,}", high=_percent(high)))
    if "B_ABSENT" in fired:
        sentences.append(words["b_absent"])
    if sample.b_depletion == "unknown":
        sentences.append(words["depletion_unknown"])
    return (*sentences, *(words[code.lower()] for code in ("HSCT", "TRANSFUSION", "STEROID") if code in fired))


def cd40_statement(sample: Sample, measures: Cd40Measures | None, decision: Decision) -> tuple[str, ...]:
    """Return what the call of CD40 means for this sample, in sentences."""
    words = texts_of("cd40")["interpretation"]
    if sample.role == "control":
        return (words["control"]["not_met" if decision.call == INDETERMINATE else "met"],)
    sentences = []
    for cells in () if measures is None else measures.cells:
        if cells.ratio is not None:
            ends = (cells.ratio_low, cells.ratio_high)
            low, high = (None if end is None else _ratio(end) for end in ends)
            below = cells.ratio <= -_SMALLEST_RATIO and cells.ratio_high == 0
            interval = "" if below or None in (low, high) else words["interval"].format(low=low, high=high)
            ratio = _ratio(cells.ratio)
            sentences.append(words["level"].format(population=cells.population, ratio=ratio, interval=interval))
    sentences += _of_call(decision, words)
    if sample.anti_cd40 == "unknown":
        sentences.append(words["drug_unknown"])
    fired = {guard.code for guard in decision.guards if guard.fired}
    return (*sentences, *(words[code.lower()] for code in ("HSCT", "TRANSFUSION") if code in fired))


def _of_call(decision: Decision, words: Texts) -> list[str]:
    undecided = set(decision.reasons) - _SAID_ELSEWHERE - {"TOO_FEW_B", "CONTROL_ABSENT", "ACQ_QC"} == _OPEN
    key = "open" if decision.call == INDETERMINATE and undecided else decision.call
    return list(words["calls"][key])


def _share(measures: MemoryMeasures, age: AgeFinding, words: Texts, *, known: bool) -> list[str]:
    name, share = deciding(measures)
    if share.percent is None:
        return []
    interval = ""
    if share.low is not None and share.high is not None:
        interval = words["interval"].format(low=_percent(share.low), high=_percent(share.high))
    # None seen of so many is not 0.
    percent = _percent(share.percent) if share.percent >= _SMALLEST else f"less than {_SMALLEST} %"
    values = {"percent": percent, "interval": interval, "definition": words["definitions"][name]}
    sentence = words["share" if known else "share_any_age"].format(
        **values, limit=_percent(age.limit_low), table=age.table
    )
    return [sentence, *([words["provisional"]] if age.provisional else [])]


def _ratio(value: float) -> str:
    return f"{value:.2f}" if abs(value) >= _SMALLEST_RATIO else "<0.01"


def _percent(value: float) -> str:
    return f"{value:.2g} %" if value < 10 else f"{value:.0f} %"
