"""Simulated cells obey the physics and the biology they claim."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cd40l_flow.simulate import Scenario, SimulatedTube, SimulationParameters, simulate_tube
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
from cd40l_flow.simulate.instrument import detect, spillover_matrix

SEED = 7
PARAMETERS = SimulationParameters()
FLUORESCENCE = [detector.name for detector in PARAMETERS.recorded()]
PE = FLUORESCENCE.index("PE-A")
FITC = FLUORESCENCE.index("FITC-A")
APC = FLUORESCENCE.index("APC-A")
SMALL = Scenario("S1", events=600, background_events=300, unstimulated_events=300)


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
