"""The rows of the index: what shows at a glance which sample is not like the others, and whether its control is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from cd40l_flow.assay.cd40.rules import B_CELLS
from cd40l_flow.assay.effects import HEALTHY
from cd40l_flow.assay.lookup import assay_named, using
from cd40l_flow.assay.texts import load_texts, reason_texts
from cd40l_flow.report.b_cell_rows import ratio_words, share_words
from cd40l_flow.report.review import doubt_words
from cd40l_flow.result.control_levels import Moved, moved_controls
from cd40l_flow.result.margins import Margin, nearest_margin
from cd40l_flow.result.numbers import format_measure, format_number
from cd40l_flow.result.order import CALL_ORDER, QC_ORDER
from cd40l_flow.result.reviews.state import ReviewState
from cd40l_flow.result.types.b_cells import Cd40, deciding_share
from cd40l_flow.result.types.result import Result

# What somebody has to do something about comes first.
_REVIEW_ORDER = ("stale", "pending", "unsigned", "repeat", "overridden", "accepted")
_MEASURES = (
    ("cd154_ratio", "CD154", "mfi_ratio"),
    ("cd154_positive", "CD154", "percent_positive"),
    ("cd154_negative", "CD154", "negative_fraction"),
    ("cd40ig_ratio", "CD40-Ig", "mfi_ratio"),
    ("cd40ig_positive", "CD40-Ig", "percent_positive"),
    ("cd40ig_negative", "CD40-Ig", "negative_fraction"),
)
NUMBER_COLUMNS = (*(name for name, _, _ in _MEASURES), "cd69", "activated")
B_CELL_COLUMNS = ("switched", "cd40_ratio", "b_events")


@dataclass(frozen=True)
class Mark:
    """What is to be seen at once of a sample; ``kind`` is ``reason`` or ``flag``.

    A control that moved has no ``code``, is ``serious`` and is named in ``short`` where the control is.
    """

    name: str
    title: str
    kind: str
    code: str = ""
    short: str = ""
    serious: bool = False


class ControlCell(TypedDict):
    """A control as the rows that rest on it name it: what is wrong with it in words, its tone, the rank to sort by."""

    name: str
    faults: list[str]
    tone: str
    title: str
    rank: int


class MarginCell(TypedDict):
    """The margin in percent of the way to the nearest limit; ``sort`` is empty where there is none."""

    sort: float | str
    text: str
    title: str
    near: bool


class NumberCell(TypedDict):
    """A number in words, and as it is sorted by: None where it was not measured."""

    sort: float | None
    text: str


class ReviewCell(TypedDict):
    """The state of the reviews; ``known`` are the digests of all of them, twelve digits each.

    ``call`` is empty unless a reviewer set another one than the automatic.
    """

    state: str
    rank: int
    word: str
    title: str
    known: str
    call: str
    call_word: str


class IndexRow(TypedDict):
    """One row of the index; ranks are what its columns are sorted by, ``search`` what it is found by."""

    number: int
    result: Result
    href: str | None
    call_rank: int
    qc_rank: int
    word: str
    qc: str
    role: str
    controls: list[ControlCell]
    control_rank: int
    margin: MarginCell
    review: ReviewCell
    marks: tuple[Mark, ...]
    numbers: list[NumberCell]
    search: str


@dataclass(frozen=True)
class Sample:
    """One sample of the index with what its place in the order depends on."""

    result: Result
    review: ReviewState
    margin: Margin | None
    marks: tuple[Mark, ...]

    @property
    def order(self) -> tuple[int, int, float, str, str]:
        """The sorting key: call, what is marked, margin to the nearest limit, run, sample."""
        serious = self.result.qc == "fail" or any(mark.serious for mark in self.marks)
        marked = 0 if serious else 1 if self.marks or self.result.qc == "warn" else 2
        percent = self.margin.percent if self.margin is not None else -1000.0
        return CALL_ORDER.index(self.result.call), marked, round(percent, 6), self.result.run, self.result.sample


def samples_of(results: Sequence[Result], states: Sequence[ReviewState]) -> list[Sample]:
    """Return the samples of the index in the order given, each with its marks."""
    moved: dict[str, list[Moved]] = {}
    for one in moved_controls(results):
        moved.setdefault(one.control, []).append(one)
    return [_sample(result, state, moved.get(result.sample, [])) for result, state in zip(results, states, strict=True)]


def _sample(result: Result, state: ReviewState, moved: Sequence[Moved]) -> Sample:
    """Return a sample with margin and marks in the words of its own assay."""
    with using(assay_named(result.assay)):
        return Sample(result, state, nearest_margin(result), _marks(result, moved))


def _marks(result: Result, moved: Sequence[Moved]) -> tuple[Mark, ...]:
    """Return what is to be seen at once: the reasons, further checks that fired, a control that moved."""
    words = load_texts()["index"]
    marks = [_mark(code, "reason") for code in result.reasons]
    fired = dict.fromkeys(guard.code for guard in result.guards if guard.fired and guard.code not in result.reasons)
    marks += [_mark(code, "flag") for code in fired]
    for one in moved[:1]:
        ratio = format_number("ratio", one.ratio)
        name = words["moved"].format(reagent=one.reagent, ratio=ratio)
        title = words["moved_title"].format(control=one.control, reagent=one.reagent, ratio=ratio, count=one.others)
        short = words["moved_short"].format(ratio=ratio)
        marks.append(Mark(name, title, "reason", short=short, serious=True))
    return tuple(marks)


def _mark(code: str, kind: str) -> Mark:
    return Mark(reason_texts(code)["name"], code, kind, code)


def control_cells(samples: Sequence[Sample]) -> dict[str, ControlCell]:
    """Return what each control is named by in the rows that rest on it: its name, and what is wrong with it."""
    words = load_texts()["index"]
    found: dict[str, ControlCell] = {}
    for sample in samples:
        result, state = sample.result, sample.review.state
        if result.role != "control":
            continue
        faults: list[str] = []
        if result.call not in HEALTHY:
            faults.append(load_texts()["calls"][result.call]["word"])
        if result.qc != "pass":
            faults.append(f"QC {words['qc'][result.qc]}")
        moved = [mark for mark in sample.marks if not mark.code]
        faults += [mark.short for mark in moved]
        if state in ("stale", "repeat", "overridden", "pending"):
            faults.append(words["review"][state])
        serious = result.call not in HEALTHY or result.qc == "fail" or state in ("stale", "repeat", "overridden")
        serious = serious or bool(moved)
        title = "; ".join([*faults, *(mark.title for mark in moved)]) or words["control_good"]
        found[result.sample] = {
            "name": result.sample,
            "faults": faults,
            "tone": "alarm" if serious else "caution" if faults else "normal",
            "title": f"{result.sample}: {title}",
            "rank": 0 if serious else 1 if faults else 2,
        }
    return found


def row_view(
    number: int, sample: Sample, href: str | None, controls: Mapping[str, ControlCell], *, b_cells: bool = False
) -> IndexRow:
    """Return one row of the table; ``controls`` are as `control_cells` gives them.

    ``b_cells`` says whether it has the columns of the B-cell assays.
    """
    texts = load_texts()
    result, review = sample.result, sample.review
    call = texts["calls"][result.call]
    state = texts["index"]["review"][review.state]
    own_controls = [controls[name] for name in (result.controls if result.role == "test" else ()) if name in controls]
    words = [result.sample, result.run, call["word"], result.call, result.qc, review.state, state]
    words += [f"{mark.code} {mark.name}" for mark in sample.marks]
    words += [control["title"] for control in own_controls if control["faults"]]
    numbers = [_number(measure, result.numbers(reagent).get(measure)) for _, reagent, measure in _MEASURES]
    numbers += _b_cell_numbers(result) if b_cells else []
    numbers += [_number("cd69_percent", result.cd69_percent), _number("activated_events", result.activated_events)]
    return {
        "number": number,
        "result": result,
        "href": href,
        "call_rank": CALL_ORDER.index(result.call),
        "qc_rank": QC_ORDER.index(result.qc),
        "word": call["word"],
        "qc": texts["index"]["qc"][result.qc],
        "role": texts["index"]["roles"][result.role],
        "controls": own_controls,
        "control_rank": min((control["rank"] for control in own_controls), default=3),
        "margin": _margin(sample.margin),
        "review": {
            "state": review.state,
            "rank": _REVIEW_ORDER.index(review.state),
            "word": state,
            "title": " ".join(doubt_words(review)),
            "known": " ".join(
                digest[:12] for digest in sorted({*(one.digest for one, _ in review.history), *review.missing})
            ),
            "call": review.reviewed_call if review.state == "overridden" else "",
            "call_word": texts["calls"][review.reviewed_call]["word"] if review.reviewed_call else "",
        },
        "marks": sample.marks,
        "numbers": numbers,
        "search": " ".join(words).lower(),
    }


def _b_cell_numbers(result: Result) -> list[NumberCell]:
    """Return the numbers of the B-cell assays: the switched share, CD40 of B cells over the control's, B cells."""
    measured = result.memory or result.cd40
    share = deciding_share(result.memory) if result.memory is not None else None
    level = _level(result.cd40) if result.cd40 is not None else None
    with using(assay_named(result.assay)):
        switched = share_words(share) if share is not None and share.percent is not None else "–"
        ratio = ratio_words(level) if level is not None else "–"
    return [
        {"sort": share.percent if share is not None else None, "text": switched},
        {"sort": level, "text": ratio},
        _number("b_events", measured.b_events if measured is not None else None),
    ]


def _level(cd40: Cd40) -> float | None:
    return next((one.ratio for one in cd40.cells if one.population == B_CELLS), None)


def _margin(margin: Margin | None) -> MarginCell:
    if margin is None:
        return {"sort": "", "text": "–", "title": "", "near": False}
    percent = round(margin.percent)
    text = f"{percent}\u202f%".replace("-", "−")
    return {"sort": round(margin.percent, 3), "text": text, "title": margin.text, "near": percent < 10}


def _number(measure: str, value: float | None) -> NumberCell:
    return {"sort": value, "text": format_measure(measure, value) if value is not None else "–"}
