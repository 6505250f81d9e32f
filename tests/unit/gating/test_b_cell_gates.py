"""Boundaries on B cells: finders on densities of known cells, labels of the panels, and real recordings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from benchmarks.b_cells.memory_cells_real import FOLDER, RECORDINGS, measured, spread

from cd40l_flow.assay.cd40 import CD40
from cd40l_flow.assay.lookup import using
from cd40l_flow.assay.memory_b import MEMORY_B
from cd40l_flow.assay.tables import Assay
from cd40l_flow.base.errors import TubeError
from cd40l_flow.base.model import Detector, Floats, Header
from cd40l_flow.decision.b_cells.measures import Share
from cd40l_flow.decision.b_cells.shares import Leak, put_right
from cd40l_flow.fcs.panel import borrowed_detectors, find_markers
from cd40l_flow.gating.b_cells import find_cd19, find_cd27, find_cd38, find_dump, find_immunoglobulin, peaks
from cd40l_flow.gating.density import density

REAL = pytest.mark.skipif(not FOLDER.is_dir(), reason="no real recordings at ../shared/fcs/bcells")


def peak(middle: float, sd: float, count: int) -> Floats:
    return np.random.default_rng([round(1e4 * middle), round(1e4 * sd), count]).normal(middle, sd, count)


def header(labels: Mapping[str, str]) -> Header:
    detectors = tuple(
        Detector(name, label, at, 262144, 262144.0, None, 1.0) for at, (name, label) in enumerate(labels.items())
    )
    return Header("FCS3.1", 100, detectors, None, "", "", None)


def markers(
    labels: Mapping[str, str], reagent: str, assay: Assay = MEMORY_B, borrowed: Mapping[str, str] | None = None
):
    with using(assay):
        return find_markers(header(labels), {}, reagent, "P01.fcs", borrowed)


PANEL = {"A": "CD19 PE-Cy7", "B": "CD27 BV421", "C": "IgD-FITC", "D": "anti-human IgM APC", "E": "CD3", "F": "CD38"}


@pytest.mark.parametrize("label", ["IgD", "sIgD", "IgD-FITC", "IGD BV510", "FITC anti-human IgD", "anti-IgD"])
def test_labels_of_immunoglobulins(label: str) -> None:
    """IgD is found as a word, with the letters that laboratories put before it."""
    assert markers(PANEL | {"C": label}, "memory")["IgD"] == "C"


@pytest.mark.parametrize("label", ["IgDx", "pIgD2", "IgG", "IgA"])
def test_other_words_are_not_igd(label: str) -> None:
    """A tube without IgD is refused."""
    with pytest.raises(TubeError, match="IgD: no detector carries this label"):
        markers(PANEL | {"C": label}, "memory")


def test_an_fmo_is_measured_in_the_detector_of_what_it_lacks() -> None:
    """The FMO needs no CD27, and takes its detector from the memory tube; the memory tube needs it."""
    without = PANEL | {"B": ""}
    with using(MEMORY_B):
        borrowed = borrowed_detectors("memory-FMO27", {"memory": markers(PANEL, "memory")})
    assert borrowed == {"CD27": "B"}
    assert markers(without, "memory-FMO27", borrowed=borrowed)["CD27"] == "B"
    assert "CD27" not in markers(without, "memory-FMO27")
    with pytest.raises(TubeError, match="CD27: no detector"):
        markers(without, "memory")


@pytest.mark.parametrize("label", ["CD40", "CD40 PE", "anti-CD40"])
def test_labels_of_cd40(label: str) -> None:
    """CD40 is the target of its tube."""
    assert markers({"A": "CD19", "T": label}, "CD40", CD40)["target"] == "T"


@pytest.mark.parametrize("label", ["CD40L", "CD40-L", "CD40 ligand", "CD40-Ig", "CD40-muIgG1", "CD400", "CD154"])
def test_the_ligand_and_its_probe_are_not_cd40(label: str) -> None:
    """CD40 ligand and CD40-Ig are other reagents."""
    with pytest.raises(TubeError, match="target"):
        markers({"A": "CD19", "T": label}, "CD40", CD40)


def test_igd_without_a_valley_lies_between_the_peaks() -> None:
    """Where naive cells fill the valley, the boundary lies as many SD from either peak, seen through few IgD- cells."""
    curve = density(np.concatenate((peak(0.55, 0.09, 9000), peak(0.30, 0.05, 150))))
    found = find_immunoglobulin(curve, density(peak(0.30, 0.05, 9000)), "IgD", "T cells")
    assert found.position == pytest.approx(0.30 + 0.25 * 0.05 / 0.14, abs=0.02)
    assert "no deep valley" in found.flag


def test_igd_in_a_deep_valley() -> None:
    """Two kinds of cells far apart are parted in the valley."""
    curve = density(np.concatenate((peak(0.65, 0.05, 6000), peak(0.25, 0.05, 3000))))
    found = find_immunoglobulin(curve, density(peak(0.25, 0.05, 9000)), "IgD", "T cells")
    assert found.method == "valley" and found.position is not None and 0.38 < found.position < 0.52


def test_igd_that_is_not_resolved_has_no_boundary() -> None:
    """IgD at less than D 2 from cells without it is not told, with the reason."""
    found = find_immunoglobulin(density(peak(0.45, 0.1, 3000)), density(peak(0.35, 0.1, 9000)), "IgD", "T cells")
    assert found.position is None and "not separated from that of T cells" in found.flag


def test_memory_cells_show_where_b_cells_without_igd_lie() -> None:
    """B cells brighter than T cells in the background move the boundary up."""
    curve = density(np.concatenate((peak(0.6, 0.07, 9000), peak(0.34, 0.04, 500))))
    dark, memory = density(peak(0.29, 0.04, 9000)), np.concatenate((peak(0.34, 0.04, 500), peak(0.6, 0.07, 500)))
    plain, own = peaks(curve, dark), peaks(curve, dark, density(memory))
    assert plain is not None and own is not None
    assert plain[0].mode == pytest.approx(0.29, abs=0.005) and own[0].mode == pytest.approx(0.34, abs=0.01)
    assert own[1].mode == pytest.approx(0.6, abs=0.03)


def test_hardly_any_b_cells_are_gated_beyond_the_others() -> None:
    """Without a valley of CD19 the boundary is the end of the CD19- peak, flagged, so that none is counted as none."""
    found = find_cd19(density(peak(0.3, 0.04, 3000)))
    assert found.position == pytest.approx(0.46, abs=0.03) and "hardly any" in found.flag
    few = find_cd19(density(np.concatenate((peak(0.3, 0.04, 3000), peak(0.7, 0.03, 25)))))
    assert few.method == "valley" and few.position is not None and 0.4 < few.position < 0.66


def test_t_cells_are_left_out_by_the_valley_of_cd3() -> None:
    """The dump has no fallback: one population is reported."""
    both = find_dump(density(np.concatenate((peak(0.2, 0.04, 2000), peak(0.6, 0.04, 6000)))))
    assert both.position is not None and 0.3 < both.position < 0.5
    assert find_dump(density(peak(0.2, 0.04, 2000))).position is None


def test_cd27_by_the_fmo_or_by_naive_cells() -> None:
    """The boundary is the FMO's 99th percentile; by IgD+ cells it is the same place, free of their CD27+ part."""
    naive = np.concatenate((peak(0.3, 0.05, 9000), peak(0.55, 0.08, 900)))
    by_fmo = find_cd27(density(naive), density(peak(0.3, 0.05, 5000)))
    by_naive = find_cd27(density(naive), None)
    for found in (by_fmo, by_naive):
        assert found.position == pytest.approx(0.3 + 2.326 * 0.05, abs=0.015)
    assert "no FMO" in by_naive.flag
    assert find_cd27(density(naive[:10]), None).position is None
    # Without a single IgD+ cell the FMO alone tells, and no warning of a division by zero is printed.
    assert find_cd27(density(naive[:0]), density(peak(0.3, 0.05, 5000))).position == by_fmo.position


def test_naive_cells_brighter_than_the_fmo_set_the_boundary_of_cd27() -> None:
    """What sticks to every cell is not in an FMO."""
    naive = density(np.concatenate((peak(0.3, 0.05, 9000), peak(0.55, 0.08, 900))))
    found = find_cd27(naive, density(peak(0.25, 0.05, 5000)))
    assert found.position == pytest.approx(0.3 + 2.326 * 0.05, abs=0.015) and found.flag == ""


@pytest.mark.parametrize("transitional", [900, 20_000])
def test_plasmablasts_have_more_cd38_than_naive_cells(transitional: int) -> None:
    """Transitional cells do not move the boundary, be they few or most; a valley above naive cells decides."""
    naive = density(np.concatenate((peak(0.5, 0.05, 9000), peak(0.72, 0.04, transitional))))
    memory = peak(0.3, 0.05, 900)
    none = find_cd38(density(memory), naive)
    some = find_cd38(density(np.concatenate((memory, peak(0.8, 0.03, 60)))), naive)
    assert none.position == pytest.approx(0.5 + 2.326 * 0.05, abs=0.02)
    assert some.method == "valley" and some.position is not None and 0.5 < some.position < 0.7


def test_a_known_leak_is_put_right() -> None:
    """Shares seen through a leaking boundary are the true ones again, with wider intervals; none stays none."""
    leak = Leak(0.04, 0.1)
    seen = [Share(p, p - 1, p + 1, 100, p) for p in (12 * 0.96 + 3 * 0.1, 12 * 0.04 + 3 * 0.9)]
    without, with_it = put_right(*seen, leak, 5000)
    assert without.percent == pytest.approx(12) and with_it.percent == pytest.approx(3)
    assert without.high is not None and without.low is not None and without.high - without.low >= 2
    none = put_right(Share(0.3, 0.1, 0.8, 3, 0.3), Share(3.0, 2.0, 4.0, 30, 3.0), leak, 1000)[0]
    assert none.percent == 0.0 and none.low == 0.0 and none.high is not None and none.high > 0.3


@REAL
def test_real_b_cells_beside_hand_gates() -> None:
    """B cells within 8 % of the hand count, subsets within the asked points; a lack of pulse height is said."""
    found, gated = measured(RECORDINGS[0])
    assert found is not None and not found.unresolved
    assert abs(found.b_events / 11_041 - 1) < 0.08
    assert found.naive.percent == pytest.approx(81.2, abs=4)
    assert found.non_switched.percent == pytest.approx(5.06, abs=1.5)
    two, plasmablasts = found.switched_two_marker.percent, found.plasmablasts
    assert two is not None and plasmablasts is not None and plasmablasts.percent is not None
    assert two + plasmablasts.percent == pytest.approx(6.19, abs=1.5) and two == pytest.approx(6.19, abs=1.5)
    assert found.switched is None and any("IgM is not stained" in note for note in found.notes)
    assert any("singlets not assessable" in flag for flag in gated.flags)


@REAL
def test_real_igd_that_is_not_resolved_gives_no_share() -> None:
    """The recording whose IgD lies on T cells' tells why, and no share."""
    found, _ = measured(RECORDINGS[1])
    assert found is not None and found.b_events > 2000
    assert "IgD of B cells is not separated" in found.unresolved
    assert found.naive.percent is found.switched_two_marker.percent is found.non_switched.percent is None


@REAL
def test_a_real_file_without_cd3_says_what_that_costs() -> None:
    """Without CD3 there is no percent of T cells among B cells, and the reader is informed."""
    found, _ = measured(RECORDINGS[2])
    assert found is not None and found.cd3_percent is None
    assert any("doublet of a T and a B cell looks switched" in note for note in found.notes)


@REAL
@pytest.mark.parametrize(("place", "hand"), [(3, 26.0), (4, 25.0), (5, 13.0)])
def test_few_real_b_cells_have_wide_intervals(place: int, hand: float) -> None:
    """Mass cytometry without scatter: the interval of switched cells holds the hand gate's, and is wide."""
    found, gated = measured(RECORDINGS[place])
    share = found.switched_two_marker if found is not None else None
    assert share is not None and share.low is not None and share.high is not None
    assert share.low < hand < share.high and share.high - share.low > 15
    assert any("no scatter" in flag for flag in gated.flags)


@REAL
def test_centres_differ_more_than_replicates() -> None:
    """The table of hand gates of seven centres is read as it is."""
    found = spread(Path(FOLDER) / "lyoplate_bcell_counts.tsv")
    assert found["memIgDneg_pct"][0] == pytest.approx(0.89, abs=0.01)
    assert all(between > within for within, between, _ in found.values())
