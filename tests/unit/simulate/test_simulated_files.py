"""Simulated files hold the tubes they say, and faults of files and of tubes do what they say."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import flowio
import numpy as np
import pytest

from cd40l_flow.simulate import DIALECTS, Fault, Scenario, SimulationParameters, simulate_tube, write_cohort
from cd40l_flow.simulate.cells import CD4_T
from cd40l_flow.simulate.fcs import encode_fcs
from cd40l_flow.simulate.instrument import spillover_matrix
from cd40l_flow.simulate.write import acquire
from helpers.runs.cohorts import read_sheet

SEED = 7
PARAMETERS = SimulationParameters()
FLUORESCENCE = [detector.name for detector in PARAMETERS.recorded()]
SMALL = Scenario("S1", events=600, background_events=300, unstimulated_events=300)


def read(content: bytes) -> flowio.FlowData:
    """Return the file as FlowIO decodes it."""
    return flowio.FlowData(io.BytesIO(content))


def encoded(scenario: Scenario, stimulation: str = "stimulated", reagent: str = "CD154") -> bytes:
    """Return the bytes of one tube with the faults of its scenario."""
    faults = frozenset(f.kind for f in scenario.faults if (f.stimulation, f.reagent) == (stimulation, reagent))
    tube = acquire(scenario, stimulation, reagent, 1, SEED, 1.0, PARAMETERS)
    return encode_fcs(tube, reagent, "x.fcs", PARAMETERS, DIALECTS[scenario.instrument], faults=faults)


def labels_of(data: flowio.FlowData) -> list[str]:
    """Return the ``$PnS`` in order."""
    return [channel["pns"] for _, channel in sorted(data.channels.items())]


def test_flowio_reads_it_back() -> None:
    """FlowIO decodes the same values and finds the keywords; a planted keyword arrives."""
    tube = simulate_tube(SMALL, "stimulated", "CD40-Ig", SEED)
    content = encode_fcs(
        tube, "CD40-Ig", "x.fcs", PARAMETERS, DIALECTS["simulated"], planted_keywords={"$SMNO": "Jane Roe"}
    )
    data = read(content)
    count, *rest = data.text["spillover"].split(",")
    matrix = np.array(rest[int(count) :], dtype=float).reshape(int(count), -1)

    np.testing.assert_array_equal(np.asarray(data.events, dtype=np.float32).reshape(600, -1), tube.values)
    assert data.version == "3.1"
    assert data.text["timestep"] == "0.01"
    assert data.text["cyt"] == "Simulated"
    assert "Jane Roe" in data.text.values()
    assert rest[: int(count)] == FLUORESCENCE
    np.testing.assert_array_equal(matrix, spillover_matrix(PARAMETERS))
    assert labels_of(data) == ["", "", "", "CD69 FITC", "CD40-Ig PE", "CD3 APC", "CD8 APC-H7", "viability BV510", ""]
    assert {channel["pnr"] for channel in data.channels.values()} == {262144.0}
    assert np.all(np.diff(tube.values[:, -1]) >= 0)


def test_background_tubes_do_not_claim_the_target() -> None:
    """The label of a background tube's target detector names the background, not CD154."""
    for reagent in ("isotype", "FMO", "secondary"):
        assert not any("CD154" in label for label in labels_of(read(encoded(SMALL, reagent=reagent))))


def test_no_words_but_ours_in_the_text() -> None:
    """A file holds no keyword that could carry a person's name unless one is planted."""
    text = read(encoded(SMALL)).text

    assert not {"smno", "src", "op", "exp", "inst", "com", "cells", "proj"} & set(text)


def test_file_faults() -> None:
    """Faults of the file do what they say."""

    def faulty(kind: str) -> bytes:
        return encoded(replace(SMALL, faults=(Fault(kind),)))

    good = read(encoded(SMALL))
    values = np.asarray(good.events).reshape(600, -1)
    matrix = spillover_matrix(PARAMETERS)

    swapped = labels_of(read(faulty("swap_labels")))
    assert swapped[3:5] == ["CD154 PE", "CD69 FITC"]
    assert not any("CD69" in label for label in labels_of(read(faulty("no_cd69"))))
    assert "spillover" not in read(faulty("no_spillover")).text
    transposed = read(faulty("transposed_spillover")).text["spillover"].split(",")[6:]
    np.testing.assert_array_equal(np.array(transposed, dtype=float).reshape(5, 5), matrix.T)
    twice = np.asarray(read(faulty("already_compensated")).events).reshape(600, -1)
    np.testing.assert_allclose(twice[:, 3:-1] @ matrix, values[:, 3:-1], rtol=1e-4, atol=0.1)
    untimed = read(faulty("no_time"))
    assert "Time" not in untimed.pnn_labels
    assert "timestep" not in untimed.text
    assert read(faulty("zero_events")).event_count == 0
    assert len(faulty("truncated")) < 0.61 * len(encoded(SMALL))
    for kind in ("truncated", "offset"):
        with pytest.raises(Exception, match=r".+"):
            read(faulty(kind))


def test_clog() -> None:
    """In a clog the signal and the rate drop, and come back."""
    clogged = simulate_tube(Scenario("S1", faults=(Fault("clog"),)), "stimulated", "CD154", SEED)
    inside = slice(int(0.46 * 8000), int(0.61 * 8000))
    before = slice(0, int(0.44 * 8000))
    cd3 = clogged.values[:, clogged.names.index("APC-A")]
    time = clogged.values[:, -1]

    assert np.median(cd3[inside]) < 0.6 * np.median(cd3[before])
    assert np.diff(time[inside]).mean() > 2 * np.diff(time[before]).mean()


def test_faults_between_tubes(tmp_path: Path) -> None:
    """Swapped, copied, foreign and missing files; the truth is reported for what the file holds."""
    cohort = (
        replace(SMALL, sample="swap", faults=(Fault("swap_stimulation"),)),
        replace(SMALL, sample="copy", faults=(Fault("duplicate", stimulation="unstimulated"),)),
        replace(SMALL, sample="gone", faults=(Fault("missing", "CD40-Ig"),)),
    )
    write_cohort(tmp_path, SEED, cohort=cohort)
    truth = {row["fcs"]: row for row in read_sheet(tmp_path / "truth.tsv")}
    sheet = [row["fcs"] for row in read_sheet(tmp_path / "config" / "tubes.tsv")]

    assert int(truth["swap_unstim_cd154.fcs"]["truth_activated_events"]) > 100
    assert int(truth["swap_stim_cd154.fcs"]["truth_activated_events"]) == 0
    first, second = (flowio.FlowData(tmp_path / "fcs" / f"copy_{s}_cd154.fcs").events for s in ("stim", "unstim"))
    assert first == second
    assert "gone_stim_cd40ig.fcs" in sheet
    assert not (tmp_path / "fcs" / "gone_stim_cd40ig.fcs").exists()


def test_other_donor() -> None:
    """A stranger's tube has another composition than the sample's own."""
    own = simulate_tube(Scenario("S1"), "stimulated", "CD40-Ig", SEED)
    foreign = simulate_tube(Scenario("S1", faults=(Fault("other_donor", "CD40-Ig"),)), "stimulated", "CD40-Ig", SEED)

    assert np.mean(foreign.kind == CD4_T) < np.mean(own.kind == CD4_T) - 0.05


def test_unknown_fault_is_refused() -> None:
    """A misspelt fault is reported, with the ones there are."""
    with pytest.raises(ValueError, match="no fault 'clogg'"):
        Fault("clogg")
