"""Files of six instrument families say the same cells: our reader, FlowIO and the simulated truth agree."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import flowio
import numpy as np
import pytest

from cd40l_flow.assay.gating_limits import ScaleLimits
from cd40l_flow.base.model import Events, Tube
from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.fcs.reader import read_events
from cd40l_flow.signal.prepare import choose_scales, prepare
from cd40l_flow.simulate import (
    CLIPPED,
    DIALECTS,
    INSTRUMENTS,
    PERSONS,
    Fault,
    Scenario,
    SimulatedTube,
    SimulationParameters,
    healthy_control,
    simulate_tube,
    varied,
    write_cohort,
)
from cd40l_flow.simulate.fcs import encode_fcs
from cd40l_flow.simulate.variation import FEWEST_EVENTS, MOST_EVENTS
from helpers.results.records import analyse

SEED = 23
PARAMETERS = SimulationParameters()
USUAL = PARAMETERS.detectors
SUBTRACTED = (230.0, 60.0, 180.0, 150.0, 170.0, 0.0)  # channels, of each of them
SMALL = Scenario("S1", events=900)
MARKERS = ("CD69", "target", "CD3", "CD8", "viability")


def tube_of(instrument: str) -> SimulatedTube:
    """Return a tube; what it measures does not depend on the instrument."""
    return simulate_tube(replace(SMALL, instrument=instrument), "stimulated", "CD154", SEED)


def content_of(instrument: str) -> bytes:
    """Return the bytes of its file."""
    return encode_fcs(tube_of(instrument), "CD154", "x.fcs", PARAMETERS, DIALECTS[instrument])


def read(instrument: str, folder: Path) -> Events:
    """Return the file as our reader reads it."""
    path = folder / f"{instrument}.fcs"
    path.write_bytes(content_of(instrument))
    spillover = "none" if DIALECTS[instrument].compensated else "file"
    return read_events(Tube("x.fcs", str(path), "stimulated", "CD154"), {}, spillover)


@pytest.mark.parametrize("instrument", DIALECTS)
def test_read_as_acquired(instrument: str, tmp_path: Path) -> None:
    """Every marker, scatter and time come back as acquired, to the resolution of the instrument."""
    dialect, tube, events = DIALECTS[instrument], tube_of(instrument), read(instrument, tmp_path)
    scale = dialect.range / PARAMETERS.range
    recorded = PARAMETERS.recorded()
    raw = {one.marker: tube.values[:, tube.names.index(one.name)] for one in recorded}
    if dialect.compensated:
        raw = {one.marker: column for one, column in zip(recorded, tube.compensated(PARAMETERS).T, strict=True)}
    step = 0.0 if dialect.datatype == "F" else 1.0
    markers = [marker for marker in MARKERS if any(column.measure == marker for column in dialect.columns)]

    assert sorted(events.markers) == sorted(markers)
    for marker, name in events.markers.items():
        found, acquired = events.column(name), raw[marker]
        if dialect.decades:
            wanted = np.clip(acquired * 10.0**dialect.decades / PARAMETERS.range, 1.0, None) * dialect.lowest
            np.testing.assert_array_less(np.abs(np.log10(found / wanted)), dialect.decades / dialect.range + 1e-9)
        else:
            low, high = -np.inf if dialect.datatype == "F" else 0.0, np.inf
            if dialect.floor is not None:
                low = dialect.floor * dialect.range
            if dialect.ceiling is not None:
                high = dialect.ceiling * dialect.range
            np.testing.assert_allclose(found, np.clip(acquired * scale, low, high), rtol=1e-6, atol=0.05 + step)
    fsc = tube.values[:, tube.names.index("FSC-H" if dialect.decades else "FSC-A")]
    np.testing.assert_allclose(events.column(events.scatter.fsc), fsc * scale, rtol=1e-6, atol=0.05 + step)
    if dialect.decades:
        assert (events.scatter.fsc_height, events.time) == (None, None)
    else:
        height = tube.values[:, tube.names.index("FSC-H")] * scale
        np.testing.assert_allclose(events.column(str(events.scatter.fsc_height)), height, rtol=1e-6, atol=0.05 + step)
        assert events.time is not None
        np.testing.assert_allclose(events.time, tube.values[:, -1] * PARAMETERS.timestep, atol=0.011)


@pytest.mark.parametrize("instrument", DIALECTS)
def test_flowio_agrees(instrument: str, tmp_path: Path) -> None:
    """FlowIO reads the same version, names and values as we do."""
    dialect, events = DIALECTS[instrument], read(instrument, tmp_path)
    data = flowio.FlowData(io.BytesIO(content_of(instrument)))
    values = data.as_array()

    assert data.version == dialect.version[3:]
    assert data.pnn_labels == [column.name for column in dialect.columns if column.marker != "CD4"]
    for name in events.names:
        np.testing.assert_allclose(events.column(name), values[:, data.pnn_labels.index(name)], rtol=1e-6)


@pytest.mark.parametrize("instrument", [name for name in INSTRUMENTS if not DIALECTS[name].compensated])
def test_matrix_is_the_true_one(instrument: str, tmp_path: Path) -> None:
    """The matrix, whatever its keyword and its way of naming detectors, is read for the detectors it is of."""
    events = read(instrument, tmp_path)
    recorded = PARAMETERS.recorded()

    assert events.spillover is not None
    rows = [events.spillover.detectors.index(events.markers[one.marker]) for one in recorded]
    true = np.array(PARAMETERS.spillover)[:5, :5]
    np.testing.assert_allclose(events.spillover.matrix[np.ix_(rows, rows)], true)


def test_families_are_what_they_claim() -> None:
    """Byte order, integers, ranges and keywords are those of the family."""
    said = {name: flowio.FlowData(io.BytesIO(content_of(name))).text for name in INSTRUMENTS}

    assert "spill" in said["diva"]
    assert "spillover" not in said["diva"]
    assert said["diva"]["byteord"] == "4,3,2,1"
    assert said["navios"]["datatype"] == said["calibur"]["datatype"] == "I"
    assert {name for name, text in said.items() if "spillover" not in text} == {"diva", "calibur", "aurora"}
    assert said["attune"]["p4r"] == "1048576"
    assert said["calibur"]["p3e"] == "4,1"
    for text in said.values():
        assert any(person in value for person in PERSONS for value in text.values())


def test_unmixed_values_may_be_negative(tmp_path: Path) -> None:
    """A spectral instrument writes what unmixing gives, below zero too; integers end at zero."""
    aurora, navios = read("aurora", tmp_path), read("navios", tmp_path)

    assert aurora.column("PE-A").min() < 0
    assert min(navios.column(name).min() for name in navios.markers.values()) == 0


def test_unknown_instrument_is_refused() -> None:
    """A misspelt instrument is reported, with the ones there are."""
    with pytest.raises(ValueError, match="no instrument 'canto'"):
        Scenario("S1", instrument="canto")


@pytest.fixture(scope="module", params=INSTRUMENTS)
def called(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Return the results of a healthy and an affected sample with a control, all of one instrument."""
    name = request.param
    folder = tmp_path_factory.mktemp(name)
    affected = Scenario("A1", negative_fraction=0.99, expression_level=0.05, expected_call="ABSENT")
    cohort = [replace(one, instrument=name) for one in (healthy_control(), Scenario("N1"), affected)]
    write_cohort(folder, SEED, cohort=cohort)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        plan = load_plan("config/config.yaml")
        control = analyse(plan.job("C01"), {})[0]
        yield {sample: analyse(plan.job(sample), {"C01": control})[0] for sample in ("N1", "A1")}


def test_calls(called: dict[str, Any]) -> None:
    """On every instrument a healthy sample is NORMAL and one that lacks the protein ABSENT; no name is passed on."""
    told = {sample: (result["call"], result["reasons"]) for sample, result in called.items()}

    assert {sample: call for sample, (call, _) in told.items()} == {"N1": "NORMAL", "A1": "ABSENT"}, told
    assert not any(person in json.dumps(called) for person in PERSONS)


@pytest.mark.parametrize("instrument", ["calibur", *CLIPPED])
def test_calls_where_events_are_piled(instrument: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Electronics that subtract too much, most of all from resting tubes, leave nearly all negative cells in the lowest
    value: the calls are those of the cells all the same.
    """
    detectors = tuple(replace(one, baseline=baseline) for one, baseline in zip(USUAL, SUBTRACTED, strict=True))
    parameters = replace(PARAMETERS, detectors=detectors, baseline_resting=1.6)
    affected = Scenario("A1", negative_fraction=0.99, expression_level=0.05, expected_call="ABSENT")
    carrier = Scenario("M1", sex="F", negative_fraction=0.5, expected_call="MOSAIC")
    cohort = [replace(one, instrument=instrument) for one in (healthy_control(), Scenario("N1"), affected, carrier)]
    write_cohort(tmp_path, SEED + 8, cohort=cohort, parameters=parameters)
    monkeypatch.chdir(tmp_path)
    plan = load_plan("config/config.yaml")
    control = analyse(plan.job("C01"), {})[0]
    calls = {name: analyse(plan.job(name), {"C01": control})[0]["call"] for name in ("N1", "A1", "M1")}

    assert {"C01": control["call"], **calls} == {"C01": "NORMAL", "N1": "NORMAL", "A1": "ABSENT", "M1": "MOSAIC"}


@pytest.mark.parametrize("instrument", ["diva", "lyric", "attune"])
def test_flowkit_compensates_the_same(instrument: str, tmp_path: Path) -> None:
    """FlowKit, with the matrix of the file, comes to the values we compensate to."""
    flowkit = pytest.importorskip("flowkit")
    events = read(instrument, tmp_path)
    heights = [column.name for column in DIALECTS[instrument].columns if column.measure.removesuffix("-H") in MARKERS]
    heights = [name for name in heights if name.endswith("-H")]
    sample = flowkit.Sample(tmp_path / f"{instrument}.fcs", null_channel_list=heights)
    keyword = DIALECTS[instrument].matrix_keyword.removeprefix("$").lower()
    sample.apply_compensation(sample.metadata[keyword])
    ours = prepare(events, choose_scales([events], ScaleLimits(), "own tubes"))

    for name in events.markers.values():
        theirs = sample.get_channel_events(name, source="comp")
        np.testing.assert_allclose(ours.detector(name), theirs, rtol=1e-5, atol=0.05)


def test_varied_samples_differ_and_stay() -> None:
    """The series is the same every time, goes through the instruments, and keeps within what it promises."""
    series = [varied(SEED, index) for index in range(60)]
    scenarios, parameters = [one for one, _ in series], [one for _, one in series]

    assert series[7] == varied(SEED, 7)
    assert varied(SEED + 1, 7) != varied(SEED, 7)
    assert [one.instrument for one in scenarios[:6]] == list(INSTRUMENTS)
    for values, low, high in (
        ([one.events for one in scenarios], FEWEST_EVENTS, MOST_EVENTS),
        ([one.cd69_molecules / PARAMETERS.cd69_molecules for one in parameters], 0.05, 1.3),
        ([one.detectors[0].gain / PARAMETERS.detectors[0].gain for one in parameters], 0.8, 1.2),
        ([one.spillover[0][1] / PARAMETERS.spillover[0][1] for one in parameters], 0.5, 2.0),
    ):
        assert low <= min(values) < low + (high - low) / 4
        assert high - (high - low) / 4 < max(values) <= high


def test_clogged_events_are_reported(tmp_path: Path) -> None:
    """The truth of every event says whether the flow cell was clogged; forward scatter may shift otherwise."""
    clogged = replace(SMALL, faults=(Fault("clog"),))
    parameters = replace(PARAMETERS, clog_start=0.2, clog_end=0.3, clog_signal=0.5, clog_fsc=0.9)
    write_cohort(tmp_path, SEED, cohort=(clogged,), per_event=True, parameters=parameters)
    truth = np.load(tmp_path / "truth" / "S1_stim_cd154.fcs.npz")["clogged"]
    sound = simulate_tube(SMALL, "stimulated", "CD154", SEED, parameters=parameters)
    tube = simulate_tube(clogged, "stimulated", "CD154", SEED, parameters=parameters)
    lost = np.median(tube.values[truth] / sound.values[truth], axis=0)

    assert np.flatnonzero(truth).tolist() == list(range(180, 270))
    np.testing.assert_allclose(lost[:-1], [0.9, 0.9, *[0.5] * 6], rtol=1e-3)
