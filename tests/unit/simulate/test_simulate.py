"""The simulated cohort obeys the physics it claims, tells the truth about itself, and is the same every time."""

from __future__ import annotations

import io
import warnings
from dataclasses import replace
from pathlib import Path

import flowio
import numpy as np
import pytest

from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.simulate import (
    DIALECTS,
    FAULTS,
    MECHANISMS,
    SCENARIOS,
    Fault,
    Scenario,
    SimulatedTube,
    SimulationParameters,
    default_cohort,
    failed_control,
    fcs_name,
    healthy_control,
    named,
    simulate_tube,
    write_cohort,
)
from cd40l_flow.simulate.cells import (
    CD4_T,
    CD8_T,
    DEBRIS,
    DOUBLE_NEGATIVE_T,
    GRANULOCYTE,
    MARKERS,
    MONOCYTE,
    B,
    generator,
)
from cd40l_flow.simulate.fcs import encode_fcs
from cd40l_flow.simulate.instrument import detect, spillover_matrix
from cd40l_flow.simulate.write import acquire
from helpers.runs.cohorts import read_sheet

SEED = 7
PARAMETERS = SimulationParameters()
FLUORESCENCE = [detector.name for detector in PARAMETERS.recorded()]
PE = FLUORESCENCE.index("PE-A")
FITC = FLUORESCENCE.index("FITC-A")
APC = FLUORESCENCE.index("APC-A")
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


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    """Two runs write the same bytes, per-event truth included; another seed writes others."""
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_cohort(tmp_path / name, seed, cohort=(SMALL,), per_event=True)
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())

    assert len(files) == 5 + 5 + 4 + 1
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    changed = tmp_path / "c" / "fcs" / "S1_stim_cd154.fcs"
    assert changed.read_bytes() != (tmp_path / "a" / "fcs" / "S1_stim_cd154.fcs").read_bytes()


def test_tube_is_independent_of_the_rest(tmp_path: Path) -> None:
    """Neither other samples, nor their order, nor other tubes of the sample change the bytes of a tube."""
    other = replace(SMALL, sample="S2")
    fewer = replace(SMALL, stimulated=("CD40-Ig",), unstimulated=())
    write_cohort(tmp_path / "both", SEED, cohort=(other, SMALL))
    write_cohort(tmp_path / "alone", SEED, cohort=(fewer,))
    name = "S1_stim_cd40ig.fcs"

    assert (tmp_path / "both" / "fcs" / name).read_bytes() == (tmp_path / "alone" / "fcs" / name).read_bytes()


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    """Writing a cohort into a folder removes nothing from it."""
    keep = tmp_path / "fcs" / "mine.fcs"
    keep.parent.mkdir()
    keep.write_text("x")
    write_cohort(tmp_path, SEED, cohort=(SMALL,))

    assert keep.read_text() == "x"


def test_default_cohort_is_what_is_promised(tmp_path: Path) -> None:
    """The demonstration cohort has every call, enough cells, distinct peaks, and fits into 11 MB."""
    paths = write_cohort(tmp_path, 20260101)
    truth = {row["fcs"]: row for row in read_sheet(tmp_path / "truth.tsv")}
    calls = {row["sample"]: (row["expected_call"], row["expected_reasons"]) for row in truth.values()}
    size = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())

    assert {path for path in tmp_path.rglob("*") if path.is_file()} == set(paths)
    assert size <= 11_000_000
    assert [s.sample for s in default_cohort()] == ["C01", *(f"P0{number}" for number in range(1, 10))]
    assert [call for call, _ in calls.values()] == [
        *["NORMAL"] * 3,
        "ABSENT",
        "REDUCED",
        *["MOSAIC"] * 2,
        "FUNCTIONAL_DEFECT",
        *["INDETERMINATE"] * 2,
    ]
    assert [calls[sample][1] for sample in ("P08", "P09")] == ["ACTIVATION_FAILED", "TOO_FEW_EVENTS"]
    for row in truth.values():
        activated = int(row["truth_activated_events"])
        if row["stimulation"] == "unstimulated":
            assert activated == 0
        elif row["sample"] not in ("P08", "P09"):
            assert activated >= (2500 if row["reagent"] in ("CD154", "CD40-Ig") else 1400)
    for sample in ("C01", "P01", "P02", "P05", "P06"):
        assert 5.0 <= float(truth[f"{sample}_stim_cd154.fcs"]["separation_true"]) <= 7.0
        assert 4.0 <= float(truth[f"{sample}_stim_cd40ig.fcs"]["separation_true"]) <= 6.0
    assert float(truth["P04_stim_cd154.fcs"]["separation_true"]) >= 3.0
    assert 100 <= int(truth["P09_stim_cd154.fcs"]["truth_activated_events"]) <= 150


@pytest.mark.parametrize("asked", [0.1, 0.4, 0.9])
def test_realised_negative_fraction(asked: float) -> None:
    """The realised fraction of non-expressing activated cells is a binomial draw of the one asked, in both readouts."""
    scenario = Scenario("S1", negative_fraction=asked)
    for reagent in ("CD154", "CD40-Ig"):
        tube = simulate_tube(scenario, "stimulated", reagent, SEED)
        counted = tube.counted()
        realised = 1.0 - tube.expressing[counted].mean()

        assert abs(realised - asked) < 3.5 * np.sqrt(asked * (1 - asked) / counted.sum())


def test_photon_noise_is_poisson() -> None:
    """Of identical cells the variance is gain times mean plus the electronic variance, in every detector."""
    count = 60_000
    for level in (0.0, 2_000.0, 40_000.0):
        molecules = {marker: np.full(count, level) for marker in MARKERS}
        signal = detect(PARAMETERS, molecules, np.ones(count), generator(SEED, level))
        for column, detector in enumerate(PARAMETERS.recorded()):
            expected = detector.gain * signal[:, column].mean() + detector.electronic_sd**2

            assert signal[:, column].var() == pytest.approx(expected, rel=0.03)


def test_compensation_recovers_the_dyes() -> None:
    """After compensation with the written matrix, cells with one dye show no slope in any other detector."""
    count = 20_000
    inverse = np.linalg.inv(spillover_matrix(PARAMETERS))
    for dye, own in enumerate(PARAMETERS.recorded()):
        molecules = {marker: np.zeros(count) for marker in MARKERS}
        molecules[own.marker] = np.linspace(0.0, 50_000.0, count)
        raw = detect(PARAMETERS, molecules, np.ones(count), generator(SEED, own.name))
        compensated = raw @ inverse
        truth = molecules[own.marker] * own.efficiency * own.gain
        for column in range(len(FLUORESCENCE)):
            slope = np.polyfit(truth, compensated[:, column], 1)[0]

            assert slope == pytest.approx(float(column == dye), abs=0.003)
    assert np.all(spillover_matrix(PARAMETERS) > 0.0)


def test_events_are_raw() -> None:
    """Events are written uncompensated (bright CD69 shows in PE), some below zero, none above the range."""
    tube = simulate_tube(Scenario("S1", negative_fraction=1.0), "stimulated", "isotype", SEED)
    counted = tube.counted()
    raw = np.median(tube.values[counted, tube.names.index("PE-A")])

    assert raw > 5 * np.median(tube.compensated(PARAMETERS)[counted, PE])
    assert tube.values[:, 3:-1].min() < 0
    assert tube.values.max() < PARAMETERS.range


def test_converter_saturates() -> None:
    """A signal beyond the range is written as the largest channel."""
    bright = replace(PARAMETERS, granulocyte_ssc=900_000.0, granulocytes=0.2)
    tube = simulate_tube(SMALL, "stimulated", "CD154", SEED, parameters=bright)
    side = tube.values[tube.kind == GRANULOCYTE, tube.names.index("SSC-A")]

    assert np.mean(side == PARAMETERS.range - 1) > 0.9


def test_activation() -> None:
    """Stimulation brings CD69 to about 95 % from a few, takes half or more of CD3 and makes blasts; CD4 is lost too."""
    with_cd4 = replace(PARAMETERS, measure_cd4=True)
    scenario = Scenario("S1", events=6000, unstimulated_events=6000)
    medians, positive = {}, {}
    for stimulation in ("unstimulated", "stimulated"):
        tube = simulate_tube(scenario, stimulation, "CD154", SEED, parameters=with_cd4)
        cells = (tube.kind == CD4_T) & tube.live & tube.single
        values = tube.compensated(with_cd4)[cells]
        scatter = tube.values[cells][:, [0, 2]]
        medians[stimulation] = np.median(np.column_stack([values[:, [FITC, PE, APC, -1]], scatter]), axis=0)
        positive[stimulation] = np.mean(values[:, FITC] > 1500)
    cd69, cd154, cd3, cd4, fsc, ssc = medians["stimulated"] / medians["unstimulated"]

    assert positive["unstimulated"] < 0.04
    assert 0.93 < positive["stimulated"] < 0.98
    assert cd69 > 20
    assert cd154 > 20
    assert 0.3 < cd3 < 0.5
    assert 0.25 < cd4 < 0.5
    assert 1.1 < fsc < 1.3
    assert 1.1 < ssc < 1.5


def test_background_follows_the_reagent() -> None:
    """CD40-Ig has more background than CD154, the isotype as much as CD154's own negative cells."""
    scenario = Scenario("S1", background_events=8000)
    medians = {}
    for reagent in ("CD154", "isotype", "FMO", "CD40-Ig", "secondary"):
        tube = simulate_tube(scenario, "stimulated", reagent, SEED)
        medians[reagent] = np.median(tube.compensated(PARAMETERS)[tube.counted() & ~tube.expressing, PE])

    assert medians["FMO"] < medians["isotype"] < 0.7 * medians["secondary"]
    assert medians["CD154"] == pytest.approx(medians["isotype"], rel=0.15)
    assert medians["CD40-Ig"] == pytest.approx(medians["secondary"], rel=0.15)


def test_scatter_and_viability() -> None:
    """Debris is small, monocytes and granulocytes large; doublets have area without height; the dead take dye up."""
    parameters = replace(PARAMETERS, granulocytes=0.03)
    tube = simulate_tube(Scenario("S1", events=20_000), "stimulated", "CD154", SEED, parameters=parameters)
    fsc, height, ssc = tube.values[:, :3].T
    healthy = tube.live & tube.single

    def median(values: np.ndarray, kind: int) -> float:
        return float(np.median(values[healthy & (tube.kind == kind)]))

    assert median(fsc, DEBRIS) < 0.4 * median(fsc, B) < 0.4 * median(fsc, MONOCYTE)
    assert median(ssc, B) < 0.6 * median(ssc, MONOCYTE) < 0.6 * median(ssc, GRANULOCYTE)
    assert np.mean(~tube.single) == pytest.approx(parameters.doublets, abs=0.006)
    ratio = height / fsc
    assert np.median(ratio[~tube.single]) < 0.75 * np.median(ratio[healthy])
    dye = tube.compensated(parameters)[:, FLUORESCENCE.index("BV510-A")]
    assert np.median(dye[~tube.live]) > 50 * np.median(dye[healthy])
    target = tube.compensated(parameters)[:, PE]
    bystander = np.isin(tube.kind, (B, CD8_T)) & tube.single & ~tube.expressing
    assert np.median(target[bystander & ~tube.live]) > 3 * np.median(target[bystander & tube.live])


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


def test_biological_faults() -> None:
    """Ionomycin left out, a lost epitope, a lost function and a good second clone act on their readout alone."""

    def expressing(scenario: Scenario, reagent: str) -> float:
        tube = simulate_tube(scenario, "stimulated", reagent, SEED)
        return float(tube.expressing[tube.counted()].mean())

    no_calcium = Scenario("S1", ionomycin=False)
    assert expressing(no_calcium, "CD154") == expressing(no_calcium, "CD40-Ig") == 0.0
    tube = simulate_tube(no_calcium, "stimulated", "CD154", SEED)
    t_cells = np.isin(tube.kind, (CD4_T, DOUBLE_NEGATIVE_T))
    assert tube.activated[t_cells].mean() > 0.93
    assert expressing(Scenario("S1", function=0.0), "CD40-Ig") == 0.0
    assert expressing(Scenario("S1", function=0.0), "CD154") > 0.85
    assert expressing(Scenario("S1", epitope=0.0), "CD154") == 0.0
    assert expressing(Scenario("S1", epitope=0.0), "CD154-2") > 0.85
    low = simulate_tube(Scenario("S1", activated_fraction=0.3), "stimulated", "CD154", SEED)
    assert 0.25 < low.activated[np.isin(low.kind, (CD4_T, DOUBLE_NEGATIVE_T))].mean() < 0.35


def test_level_and_skew() -> None:
    """``expression_level`` scales the positives; a negative skew makes a tail of dim cells."""

    def positives(scenario: Scenario) -> np.ndarray:
        tube = simulate_tube(scenario, "stimulated", "CD154", SEED)
        return np.asarray(tube.compensated(PARAMETERS)[tube.counted() & tube.expressing, PE])

    healthy = positives(Scenario("S1"))
    reduced = positives(Scenario("S1", expression_level=0.3))
    skewed = np.log(positives(Scenario("S1", positive_skew=-8.0, positive_spread=1.5)))
    deviations = (skewed - skewed.mean()) / skewed.std()

    assert np.median(reduced) / np.median(healthy) == pytest.approx(0.3, abs=0.03)
    assert np.mean(deviations**3) < -0.6


def test_every_scenario_can_be_written(tmp_path: Path) -> None:
    """Every acceptance scenario, and a failed control, can be written with a healthy control."""
    small = [replace(s, events=min(s.events, 300), background_events=100, unstimulated_events=100) for s in SCENARIOS]
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        write_cohort(tmp_path, SEED, cohort=(healthy_control(), failed_control("C02", "R2"), *small))
    names = [row["sample"] for row in read_sheet(tmp_path / "config" / "samples.tsv")]
    files = [row["fcs"] for row in read_sheet(tmp_path / "config" / "tubes.tsv")]

    assert len(set(names)) == len(names) == len(SCENARIOS) + 2
    assert len(set(files)) == len(files)
    every = (*SCENARIOS, *(mechanism.scenario for mechanism in MECHANISMS))
    assert {fault.kind for scenario in every for fault in scenario.faults} == set(FAULTS)


def test_every_mechanism_tells_what_is_right_and_what_is_dangerous(tmp_path: Path) -> None:
    assert len({mechanism.name for mechanism in MECHANISMS}) == len(MECHANISMS)
    for mechanism in MECHANISMS:
        scenario = mechanism.scenario
        assert scenario.truth and scenario.right and scenario.dangerous
        assert not scenario.right & scenario.dangerous
        cohort, parameters = named(mechanism.name)
        written = write_cohort(
            tmp_path / scenario.sample, SEED, cohort=cohort, events_scale=0.02, parameters=parameters
        )
        assert [path for path in written if path.suffix == ".fcs"]


def test_what_a_mechanism_asks_for_is_in_the_cells() -> None:
    def target(scenario: Scenario, reagent: str = "CD154") -> tuple[SimulatedTube, np.ndarray]:
        tube = simulate_tube(scenario, "stimulated", reagent, SEED)
        at = SimulationParameters().at_volts(scenario.target_volts)
        column = [detector.marker for detector in at.recorded()].index("target")
        return tube, tube.compensated(at)[:, column]

    usual, bright = target(Scenario("usual"))
    for scenario, factor in ((Scenario("usual", target_volts=420), (420 / 520) ** 7.5), (Scenario("usual"), 1.0)):
        tube, values = target(scenario)
        median = np.median(values[tube.counted() & tube.expressing])
        assert median / np.median(bright[usual.counted() & usual.expressing]) == pytest.approx(factor, rel=0.1)
    tube, values = target(Scenario("usual", unstained=("CD154",)))
    assert not tube.expressing.any()
    isotype, dark = target(Scenario("usual"), "isotype")
    assert np.median(values[tube.counted()]) < np.median(dark[isotype.counted()])
    residual, mixed = target(Scenario("usual", residual_fraction=0.5, residual_level=0.05))
    low = mixed[residual.counted() & residual.expressing] < 0.2 * np.median(bright[usual.counted() & usual.expressing])
    assert float(low.mean()) == pytest.approx(0.5, abs=0.05)


def test_an_unknown_scenario_is_refused_with_all_names() -> None:
    with pytest.raises(Cd40lFlowError, match="weak-stimulation"):
        named("weak")


def test_replicates_differ_and_are_named() -> None:
    """A replicate is another draw of the same cells, in a file of its own."""
    first = simulate_tube(SMALL, "stimulated", "CD154", SEED)
    second = simulate_tube(SMALL, "stimulated", "CD154", SEED, replicate=2)

    assert not np.array_equal(first.values, second.values)
    assert fcs_name("S1", "stimulated", "CD154", 2) == "S1_stim_cd154_2.fcs"
    assert fcs_name("S1", "stimulated", "CD154-2") == "S1_stim_cd154b.fcs"


def test_unknown_fault_is_refused() -> None:
    """A misspelt fault is reported, with the ones there are."""
    with pytest.raises(ValueError, match="no fault 'clogg'"):
        Fault("clogg")
