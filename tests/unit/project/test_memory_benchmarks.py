"""The benchmarks of B cells judge as they say, and their second generator tells the truth about its files."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import flowio
import numpy as np
import pytest
from benchmarks.b_cells import memory_b
from benchmarks.b_cells.memory_independent import CYTOMETERS, FAMILIES, LOG, write_run
from benchmarks.b_cells.memory_independent_cells import LAWS, SWITCHED, Blood, draw_tube, memory_27, true_spill
from benchmarks.b_cells.memory_judging import (
    ABSENT,
    AFFECTED,
    HEALTHY,
    LOW,
    NORMAL,
    OPEN,
    Case,
    Judged,
    coverage,
    goals,
    rms_over_binomial,
    wilson,
)

CASE = Case("S1", "adult", "", HEALTHY, 20.0, 0.12, 2000, 3.5)


def counted(seed: int, number: int) -> list[Judged]:
    """Return what a perfect cytometer would give: cells counted, Wilson's interval, the call by the interval."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(number):
        share, cells = float(random.choice([0.12, 0.01, 0.0])), int(random.choice([500, 3000]))
        seen = random.binomial(cells, share) / cells
        low, high = (100 * end for end in wilson(seen, cells))
        call = ABSENT if high < 0.5 else LOW if high < 4 else NORMAL if low >= 4 else OPEN
        kind = HEALTHY if share > 0.1 else AFFECTED
        case = replace(CASE, switched=share, b_events=cells, kind=kind)
        found.append(Judged(case, call, (), 100 * seen, low, high, cells, 4.0, 0.5))
    return found


def test_what_a_perfect_count_gives() -> None:
    """Counting alone has the binomial's error, covers in 95 of 100, is right where it is plain, and harms nobody."""
    found = counted(3, 3000)
    covered, intervals = coverage(found)

    assert rms_over_binomial(found) == pytest.approx(1.0, abs=0.05)
    assert 0.94 <= covered / intervals <= 1.0
    assert all(met for what, *_, met in goals(found) if "plain" in what or "dangerous" in what or "RMS" in what)


def test_what_is_dangerous() -> None:
    """A patient called normal, a healthy donor called absent, and any call that may not be made, is dangerous."""
    patient = replace(CASE, kind=AFFECTED, switched=0.001)
    few, unwashed = replace(CASE, b_events=199), replace(CASE, refused=True)
    for case, calls in ((patient, {NORMAL}), (CASE, {ABSENT}), (few, {NORMAL, LOW, ABSENT}), (unwashed, {NORMAL})):
        for call in (NORMAL, LOW, ABSENT, OPEN):
            harmful = call in calls or (case is unwashed and call != OPEN)
            assert Judged(case, call, ()).dangerous == harmful


def test_what_is_plain() -> None:
    """A sample is plain where chance reaches no limit: neither with fewer cells nor younger nor disturbed."""
    clear = Judged(CASE, NORMAL, (), limit_low=8.0, limit_absent=0.8)
    assert clear.plain
    assert clear.right
    assert not replace(clear, limit_low=11.5).plain
    assert not replace(clear, call=LOW).right
    for change in ({"b_events": 150}, {"age_years": 0.5}, {"disturbance": "log"}, {"refused": True}):
        assert not replace(clear, case=replace(CASE, **change)).plain


def test_counting_without_error_gives_the_call_where_its_bound_keeps_off_the_limit() -> None:
    """9 % of 2,000 cells lie below a limit of 10.5 %, those of 200 do not; nor is what was not written told."""
    donor = Judged(replace(CASE, switched=0.09, written=0.09), LOW, (), limit_low=10.5, limit_absent=1.0)
    assert donor.countable
    assert not replace(donor, case=replace(donor.case, b_events=200)).countable
    assert not replace(donor, case=CASE).countable


def test_every_disturbance_comes_thirty_times() -> None:
    """The cohort of 600 has every disturbance of the brief at least thirty times, log and clipped files together."""
    asked = [disturbance for disturbance, *_ in memory_b.wanted(memory_b.SAMPLES)]
    counts = {name: asked.count(name) for name in set(asked)}
    counts["log"] += counts.pop("clipped")

    assert len(asked) == memory_b.SAMPLES
    assert min(counts.values()) >= 30
    assert len(counts) == 1 + 15


@pytest.mark.parametrize("law", LAWS)
def test_every_law_has_its_mean(law: str) -> None:
    """Memory cells have the donor's mean CD27 whatever the law."""
    blood = Blood(memory_27=100.0, law=law, shape=3.0)
    drawn = memory_27(blood, 200_000, np.random.default_rng(1))

    assert drawn.min() > 0
    assert drawn.mean() == pytest.approx(100.0, rel=0.02)


def test_independent_tubes_hold_what_they_are_asked() -> None:
    """Shares of subsets are binomial draws; the tube without anti-CD27 has none of it."""
    blood = Blood(b=0.5)
    tube = draw_tube(blood, "memory-FMO27", 40_000, np.random.default_rng(2))
    own = tube.b_cells()
    share = blood.subsets[SWITCHED] / sum(blood.subsets)

    assert (tube.subset[own] == SWITCHED).mean() == pytest.approx(share, abs=4 * math.sqrt(share / own.sum()))
    assert not tube.columns["CD27"].any()
    assert tube.columns["IgD"].any()


def test_independent_files_can_be_read_and_are_the_same_twice(tmp_path: Path) -> None:
    """FlowIO reads what each laboratory writes, with its labels; the same seed gives the same bytes and truth."""
    family = FAMILIES[0]
    for number, cytometer in enumerate(CYTOMETERS):
        here = replace(family, cytometers=(number,), cells=(300, 301))
        truth = write_run(tmp_path / f"a{number}", here, 5, 1)
        assert truth == write_run(tmp_path / f"b{number}", here, 5, 1)
        path = tmp_path / f"a{number}" / "fcs" / "S00-memory.fcs"
        assert path.read_bytes() == (tmp_path / f"b{number}" / "fcs" / "S00-memory.fcs").read_bytes()
        read = flowio.FlowData(path)
        labels = {channel["pns"] for channel in read.channels.values()}
        assert {label for _, label in cytometer.panel.values()} <= labels
        assert truth[0].b_events == pytest.approx(300, rel=0.2)
        if number != LOG:
            key = cytometer.matrix.lstrip("$").lower()
            count, *rest = read.text[key].split(",")
            stated = np.array(rest[int(count) :], dtype=float).reshape(int(count), -1)
            assert stated == pytest.approx(true_spill(cytometer), abs=0.03)
