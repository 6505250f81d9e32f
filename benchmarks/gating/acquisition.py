"""Which events acquisition QC cuts, against the truth of which were acquired in a clog."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.gating.samples import Known, Mask, cohort, tube_of_events
from cd40l_flow.base.model import Events
from cd40l_flow.signal.acquisition import at_the_top
from cd40l_flow.signal.prepare import choose_scales, prepare
from cd40l_flow.simulate import DIALECTS, INSTRUMENTS, Fault, varied

BAD_CUT, GOOD_CUT, CLEAN_CUT = 0.95, 0.03, 0.01
TIMED = tuple(name for name in INSTRUMENTS if any(column.measure == "Time" for column in DIALECTS[name].columns))
MOST_EVENTS = 150_000
SIGNAL = 0.5  # what a clog leaves of side scatter and fluorescence


@dataclass(frozen=True)
class Acquired:
    """One tube: its events, where the clog lies (fractions of the events; None: clean), and the shares cut.

    ``bad`` is the share cut of the events of the clog, ``good`` of the others. Events at the edge of the range are
    left out: they are cut for another reason.
    """

    name: str
    events: int
    place: tuple[float, float] | None
    fsc: float
    bad: float | None
    good: float


def measure(seed: int, index: int, *, clogged: bool) -> Acquired:
    """Simulate a tube, with a clog of varied place and length or without, and return what is cut of it."""
    rng = np.random.default_rng([seed, index, clogged])
    scenario, parameters = varied(seed, index)
    scenario = replace(
        scenario,
        instrument=TIMED[index % len(TIMED)],
        events=min(scenario.events, MOST_EVENTS),
        stimulated=("CD154",),
        unstimulated=(),
        faults=(Fault("clog"),) if clogged else (),
    )
    start, length = rng.uniform(0.03, 0.75), rng.uniform(0.04, 0.22)
    shift = float(rng.choice([rng.uniform(0.6, 0.85), rng.uniform(1.15, 1.4)]))
    parameters = replace(
        parameters,
        clog_start=start,
        clog_end=start + length,
        clog_signal=SIGNAL,
        clog_fsc=shift,
        clog_rate=rng.uniform(0.3, 1.0),
    )
    with cohort([scenario], seed, parameters) as samples:
        known = samples[scenario.sample]
    events = tube_of_events(known, "stimulated", "CD154")
    bad = known.clogged[events.tube.fcs]
    inside = ~_margins(events)
    cut = _cut(known, events)
    return Acquired(
        f"{scenario.sample} {scenario.instrument}",
        len(bad),
        (start, start + length) if clogged else None,
        shift if clogged else 1.0,
        float(cut[bad & inside].mean()) if clogged else None,
        float(cut[~bad & inside].mean()),
    )


def _cut(known: Known, events: Events) -> Mask:
    """Return which events acquisition QC cuts, (events,)."""
    scales = choose_scales([events], known.job.settings.limits.scale, "own tubes")
    keep: Mask = prepare(events, scales).acquisition.keep
    return ~keep


def _margins(events: Events) -> Mask:
    mask: Mask = np.zeros(len(events.values), dtype=np.bool_)
    for name in filter(None, (events.scatter.fsc, events.scatter.ssc)):  # mass cytometry has none
        detector = events.header.detector(name)
        mask |= at_the_top(events.column(name), detector.maximum - 1.0 if detector else np.inf)
    return mask


def section(clogged: Sequence[Acquired], clean: Sequence[Acquired]) -> str:
    """Return the part of the page on these tubes."""
    rows = []
    for name, low, high in (
        ("below 10,000 events", 0, 10_000),
        ("10,000 to 50,000", 10_000, 50_000),
        ("above 50,000", 50_000, 10**9),
        ("all", 0, 10**9),
    ):
        here = [one for one in clogged if low <= one.events < high]
        if not here:
            continue
        bad = np.array([one.bad for one in here], dtype=float)
        good = np.array([one.good for one in here])
        weights = np.array([one.events * (one.place[1] - one.place[0]) for one in here if one.place])
        rows.append(
            f"| {name} | {len(here)} | {100 * np.average(bad, weights=weights):.1f} % | {100 * np.median(bad):.1f} % "
            f"| {100 * bad.min():.1f} % | {np.sum(bad >= BAD_CUT)} | {100 * np.median(good):.2f} % "
            f"| {100 * good.max():.2f} % | {np.sum(good < GOOD_CUT)} |"
        )
    whole = np.array([one.good for one in clean])
    sizes = np.array([one.events for one in clean])
    worst = sorted(clogged, key=lambda one: (one.bad or 0.0) - one.good)[:5]
    misses = "\n".join(
        f"| {one.name} | {one.events:,} | {one.place[0]:.2f} to {one.place[1]:.2f} | {one.fsc:.2f} "
        f"| {100 * (one.bad or 0.0):.1f} % | {100 * one.good:.2f} % |"
        for one in worst
        if one.place
    )
    return f"""## Clogged acquisitions

{len(clogged)} tubes of up to {MOST_EVENTS:,} events in which a stretch of 4 to 22 % of the events, anywhere, has
side scatter and fluorescence halved, forward scatter 0.6 to 0.85 or 1.15 to 1.4 times, and 0.3 to 1 times the rate; and
{len(clean)} clean ones. The five instruments that record time; a FACSCalibur's files have none, and are reported as not
assessable. Target: {100 * BAD_CUT:g} % of the bad events cut, under {100 * GOOD_CUT:g} % of the good ones; under
{100 * CLEAN_CUT:g} % of clean files.

| clogged tubes | tubes | bad events cut, all together | median | least | tubes with at least {100 * BAD_CUT:g} % \
| good events cut, median | most | tubes under {100 * GOOD_CUT:g} % |
|---|---|---|---|---|---|---|---|---|
{chr(10).join(rows)}

Clean: {100 * np.average(whole, weights=sizes):.3f} % of all events cut, median {100 * np.median(whole):.3f} %, most \
{100 * whole.max():.2f} % of a file; {np.sum(whole < CLEAN_CUT)} of {len(clean)} under {100 * CLEAN_CUT:g} %.

| least well recognised | events | clog | FSC | bad events cut | good events cut |
|---|---|---|---|---|---|
{misses}
"""
