"""Simulated tubes of the B-cell assays obey what they are asked for."""

from __future__ import annotations

import io
from dataclasses import replace

import flowio
import numpy as np
import pytest

from cd40l_flow.base.model import Floats
from cd40l_flow.simulate import SimulationParameters
from cd40l_flow.simulate.b_cells import (
    BSample,
    BTube,
    Subsets,
    healthy_b_percent,
    healthy_subsets,
    simulate_b_tube,
)
from cd40l_flow.simulate.b_cells.dialects import b_dialect
from cd40l_flow.simulate.b_cells.laws import (
    DOUBLE_NEGATIVE,
    IGM_ONLY,
    NAIVE,
    NON_SWITCHED,
    PLASMABLAST,
    STAGES,
    SWITCHED,
    TRANSITIONAL,
    logit,
    switched_law,
)
from cd40l_flow.simulate.b_cells.panels import PANELS, panel_of, stained
from cd40l_flow.simulate.b_cells.physics import BPhysics
from cd40l_flow.simulate.b_cells.samples import CD40, CD40_TUBES
from cd40l_flow.simulate.b_cells.separation import cd27_brightness_for, cd27_ratio_for
from cd40l_flow.simulate.b_cells.truth import cd27_separation
from cd40l_flow.simulate.cells import MONOCYTE, B, generator
from cd40l_flow.simulate.fcs import encode_fcs
from cd40l_flow.simulate.instrument import spillover_matrix

SEED = 11
PARAMETERS = SimulationParameters()
PHYSICS = BPhysics()
# Many B cells and no differences from tube to tube: what is asked for is what comes out.
EXACT = BSample("S1", b_events=12_000, b_percent=40.0, stain_sd=0.0)
EVEN = replace(PARAMETERS, tube_molecules_sd=0.0)


def light(tube: BTube, sample: BSample, marker: str) -> Floats:
    """Return one marker of a tube compensated with the true matrix, (events,)."""
    physics = stained(sample, EVEN)
    return tube.compensated(physics)[:, [one.marker for one in physics.recorded()].index(marker)]


def of_stage(tube: BTube, *stages: int) -> np.ndarray:
    """Return which events are live single B cells of these stages."""
    return tube.b_cells() & np.isin(tube.stage, stages)


def test_shares_are_binomial_draws_of_those_asked() -> None:
    """B cells among lymphocytes and every stage among B cells lie within four binomial errors of what is asked."""
    subsets = Subsets(0.1, 0.12, 0.2, 0.05, 0.06, 0.07)
    tube = simulate_b_tube(replace(EXACT, subsets=subsets), "memory", SEED)
    counted = tube.b_cells()
    total = int(counted.sum())
    written = np.bincount(tube.stage[counted], minlength=len(STAGES)) / total

    assert total == pytest.approx(EXACT.b_events, rel=0.05)
    for asked, found in zip(subsets.shares(), written, strict=True):
        assert found == pytest.approx(asked, abs=4 * np.sqrt(asked * (1 - asked) / total))
    lymphocytes = int(tube.lymphocytes().sum())
    assert total / lymphocytes == pytest.approx(0.4, abs=4 * np.sqrt(0.24 / lymphocytes))


@pytest.mark.parametrize("panel", [name for name in PANELS if name != CD40])
@pytest.mark.parametrize("ratio", [5.0, 8.0])
def test_cd27_has_the_ratio_and_the_spread_asked_for(panel: str, ratio: float) -> None:
    """Median CD27 of memory over naive B cells is the ratio; memory's log10 SD is 0.3 and its law one continuum."""
    sample = replace(EXACT, panel=panel, cd27_ratio=ratio)
    tube = simulate_b_tube(sample, "memory", SEED, parameters=EVEN)
    cd27 = light(tube, sample, "CD27")
    memory, naive = cd27[of_stage(tube, SWITCHED, NON_SWITCHED)], cd27[of_stage(tube, NAIVE, TRANSITIONAL)]

    assert np.median(memory) / np.median(naive) == pytest.approx(ratio, rel=0.06)
    # Quartiles, for noise rules the dimmest cells.
    low, high = np.log10(np.percentile(memory, [25, 75]))
    assert (high - low) / 1.349 == pytest.approx(PHYSICS.cd27_memory_sd / np.log(10), rel=0.12)


def test_immunoglobulin_has_the_ratios_asked_for() -> None:
    """IgD of naive cells is 50 times what IgD- cells bind, IgM 5 times; in signal, cells' own light counts as well."""
    tube = simulate_b_tube(EXACT, "memory", SEED, parameters=EVEN)
    physics = stained(EXACT, EVEN)
    for marker, ratio, negative in (
        ("IgD", EXACT.igd_ratio, (SWITCHED, IGM_ONLY, DOUBLE_NEGATIVE)),
        ("IgM", PHYSICS.igm_ratio, (SWITCHED, DOUBLE_NEGATIVE)),
    ):
        detector = next(one for one in physics.recorded() if one.marker == marker)
        own = detector.autofluorescence * detector.gain
        values = light(tube, EXACT, marker)
        naive, without = (np.median(values[of_stage(tube, *which)]) - own for which in ((NAIVE,), negative))
        assert naive / without == pytest.approx(ratio, rel=0.12)


def test_stages_are_where_their_markers_say() -> None:
    """Transitional cells are CD38 and CD24 bright, plasmablasts brightest in CD38 and CD27 and without CD24 and IgM."""
    sample = replace(EXACT, subsets=Subsets(transitional=0.2, plasmablast=0.1))
    tube = simulate_b_tube(sample, "memory", SEED)
    median = {
        marker: [float(np.median(light(tube, sample, marker)[of_stage(tube, stage)])) for stage in range(len(STAGES))]
        for marker in ("CD38", "CD24", "CD27", "IgM", "CD19")
    }

    assert median["CD38"][PLASMABLAST] > median["CD38"][TRANSITIONAL] > 4 * median["CD38"][NAIVE]
    assert median["CD38"][NAIVE] > 4 * median["CD38"][SWITCHED]
    assert median["CD24"][TRANSITIONAL] > median["CD24"][SWITCHED] > median["CD24"][NAIVE] > median["CD24"][PLASMABLAST]
    assert median["CD27"][PLASMABLAST] > 5 * median["CD27"][SWITCHED]
    assert median["IgM"][IGM_ONLY] > 5 * median["IgM"][SWITCHED]
    assert min(median["CD19"]) > 1000


def test_stated_spillover_recovers_every_dye() -> None:
    """Compensation with the file's own matrix leaves no dye in another detector, as cells without its marker show."""
    tube = simulate_b_tube(EXACT, "memory", SEED, parameters=EVEN)
    data = flowio.FlowData(io.BytesIO(encode_fcs(tube, "memory", "x.fcs", stained(EXACT, EVEN), b_dialect(EXACT))))
    count, *rest = data.text["spillover"].split(",")
    names = rest[: int(count)]
    matrix = np.array(rest[int(count) :], dtype=float).reshape(int(count), -1)
    values = np.reshape(data.events, (-1, data.channel_count))
    labels = [data.channels[number]["pnn"] for number in sorted(data.channels)]
    compensated = values[:, [labels.index(name) for name in names]] @ np.linalg.inv(matrix)
    markers = [one.marker for one in stained(EXACT, EVEN).recorded()]
    naive, switched = of_stage(tube, NAIVE), of_stage(tube, SWITCHED, DOUBLE_NEGATIVE)

    assert matrix == pytest.approx(spillover_matrix(stained(EXACT, EVEN)))
    # CD3 is on none of them, and IgD (0.15 of which falls on CD24's detector) only on the first.
    cd3 = compensated[:, markers.index("CD3")]
    assert np.median(cd3[naive]) == pytest.approx(np.median(cd3[switched]), abs=10)


def test_spill_that_the_matrix_lacks_stays() -> None:
    """Of CD38 the asked fraction is left in CD27 by the stated matrix, in the FMO tube too."""
    spilt = replace(EXACT, cd38_spill=0.04)
    tube = simulate_b_tube(spilt, "memory-FMO27", SEED, parameters=EVEN)
    transitional = of_stage(tube, TRANSITIONAL)
    stated = stained(spilt, EVEN, stated=True)
    markers = [one.marker for one in stated.recorded()]
    seen = tube.compensated(stated)[:, markers.index("CD27")]
    cd38 = light(tube, spilt, "CD38")

    left = np.median(seen[transitional] - light(tube, spilt, "CD27")[transitional])
    assert left / np.median(cd38[transitional]) == pytest.approx(0.04, rel=0.05)
    assert spillover_matrix(stated)[markers.index("CD38"), markers.index("CD27")] < 0.001


def test_background_tubes_lack_their_dyes() -> None:
    """FMO27 holds no anti-CD27, FMOIg neither anti-IgD nor anti-IgM; the other dyes are as in the full tube."""
    for reagent, lacking, kept in (("memory-FMO27", ("CD27",), "IgD"), ("memory-FMOIg", ("IgD", "IgM"), "CD27")):
        tube = simulate_b_tube(EXACT, reagent, SEED, parameters=EVEN)
        full = simulate_b_tube(EXACT, "memory", SEED, parameters=EVEN)
        physics = stained(EXACT, EVEN)
        for marker in lacking:
            detector = next(one for one in physics.recorded() if one.marker == marker)
            own = detector.autofluorescence * detector.gain
            assert np.median(light(tube, EXACT, marker)[tube.b_cells()]) == pytest.approx(own, abs=15)
        medians = [np.median(light(one, EXACT, kept)[one.b_cells()]) for one in (tube, full)]
        assert medians[0] == pytest.approx(medians[1], rel=0.08)


@pytest.mark.parametrize("panel", [name for name in PANELS if name != CD40])
def test_separation_is_what_is_asked_for(panel: str) -> None:
    """The ratio and the dye's brightness found for a D of CD27 give tubes of this D."""
    for separation in (1.5, 2.5, 3.5):
        sample = replace(EXACT, panel=panel, cd27_ratio=cd27_ratio_for(separation, panel))
        tube = simulate_b_tube(sample, "memory", SEED, parameters=EVEN)
        assert cd27_separation(tube, stained(sample, EVEN)) == pytest.approx(separation, abs=0.15)
    dim = replace(EXACT, panel=panel, cd27_brightness=cd27_brightness_for(2.0, panel))
    tube = simulate_b_tube(dim, "memory", SEED, parameters=EVEN)
    assert cd27_separation(tube, stained(dim, EVEN)) == pytest.approx(2.0, abs=0.15)
    with pytest.raises(ValueError, match="D of CD27 can be"):
        cd27_ratio_for(40.0, panel)


def test_plasma_left_in_takes_the_stain() -> None:
    """Plasma that was not washed off leaves the asked fraction of IgD and IgM, and changes no other marker."""
    unwashed = replace(EXACT, serum_ig=0.1)
    washed, other = (simulate_b_tube(one, "memory", SEED, parameters=EVEN) for one in (EXACT, unwashed))
    for marker, left in (("IgD", 0.1), ("IgM", 0.1), ("CD27", 1.0), ("CD19", 1.0)):
        medians = [np.median(light(tube, EXACT, marker)[of_stage(tube, NAIVE)]) for tube in (washed, other)]
        # Own light of the cell is not taken.
        assert medians[1] / medians[0] == pytest.approx(left, abs=0.03)


def test_t_cells_with_b_cells_are_reported_and_counted() -> None:
    """T cells that hold a B cell are as many as asked of the B cells, CD3+ CD19+, and no B cells in the truth."""
    sample = replace(EXACT, t_b_doublets=0.03)
    tube = simulate_b_tube(sample, "memory", SEED)
    holding = tube.conjugate & tube.live

    assert tube.conjugate.sum() / (tube.kind == B).sum() == pytest.approx(0.03, rel=0.15)
    assert not (holding & tube.b_cells()).any()
    assert np.median(light(tube, sample, "CD3")[holding]) > 5000
    assert np.median(light(tube, sample, "CD19")[holding]) > 1000
    assert "CD3" not in panel_of(replace(sample, dump=False))


def test_cd40_levels_and_mosaics() -> None:
    """CD40 of B cells and monocytes is the asked fraction of the healthy level, and a mosaic lacks it on its share."""
    healthy = BSample("S1", assay=CD40, tubes=CD40_TUBES, events=20_000, b_percent=30.0, stain_sd=0.0)

    def level(sample: BSample, kind: int) -> float:
        medians = []
        for reagent in CD40_TUBES:
            tube = simulate_b_tube(sample, reagent, SEED, parameters=EVEN)
            own = tube.live & tube.single & (tube.kind == kind)
            medians.append(float(np.median(light(tube, sample, "target")[own])))
        return medians[0] - medians[1]

    for kind in (B, MONOCYTE):
        usual = level(healthy, kind)
        for asked in (0.0, 0.25, 0.5):
            changed = replace(healthy, cd40_b=asked, cd40_monocyte=asked)
            assert level(changed, kind) / usual == pytest.approx(asked, abs=0.06)
    drug = replace(healthy, cd40_epitope=0.05)
    assert level(drug, B) / level(healthy, B) == pytest.approx(0.05, abs=0.02)
    mosaic = replace(healthy, cd40_lacking=0.3)
    tube = simulate_b_tube(mosaic, "CD40", SEED, parameters=EVEN)
    cells = tube.b_cells()
    assert tube.lacking[cells].mean() == pytest.approx(0.3, abs=0.03)
    dim = light(tube, mosaic, "target")[cells] < 1500
    assert (dim == tube.lacking[cells]).mean() > 0.99


@pytest.mark.parametrize("age", [0.26, 1.58, 7.07, 30.0])
def test_healthy_donors_follow_the_published_intervals(age: float) -> None:
    """At the middle of a band the logits of drawn switched shares have its mean and SD, and B cells its interval."""
    rng = generator(SEED, "donors", age)
    donors = [healthy_subsets(age, rng) for _ in range(3000)]
    logits = np.array([logit(donor.switched) for donor in donors])
    mean, sd = switched_law(age)
    b_cells = np.array([healthy_b_percent(age, rng) for _ in range(3000)])
    published = {0.26: (2.2, 18, 38), 1.58: (7.6, 16, 34), 7.07: (18.7, 10, 24), 30.0: (14.3, 6, 28)}[age]

    assert logits.mean() == pytest.approx(mean, abs=4 * sd / np.sqrt(3000) + 0.02)
    assert logits.std() == pytest.approx(sd, rel=0.08)
    assert 100 / (1 + np.exp(-mean)) == pytest.approx(published[0], rel=0.01)
    assert np.percentile(b_cells, [2.5, 97.5]) == pytest.approx(published[1:], rel=0.08)
