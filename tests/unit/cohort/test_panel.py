"""Which detector is taken for which marker, and what is refused as uncertain."""

from __future__ import annotations

from typing import Any

import pytest

from cd40l_flow.base.errors import TubeError
from cd40l_flow.base.model import Detector, Header
from cd40l_flow.fcs.panel import find_markers
from cd40l_flow.fcs.scatter import find_scatter, is_time, scatter_name

SOUND = {"FITC-A": "CD8", "PE-A": "CD154", "APC-A": "CD3", "PerCP-A": "CD69"}


def header(labels: dict[str, str], *further: str) -> Header:
    names = [*labels.items(), *((name, "") for name in further)]
    detectors = tuple(
        Detector(name, label, index, 262144, 262144.0, None, 1.0) for index, (name, label) in enumerate(names)
    )
    return Header("FCS3.1", 100, detectors, None, "", "", None)


def find(labels: dict[str, str], *further: str, panel: Any = None, reagent: str = "CD154", target: str | None = None):
    return find_markers(
        header(labels, *further), panel or {}, reagent, "P01.fcs", {"target": target} if target else None
    )


def refusal(*arguments: Any, **keywords: Any) -> str:
    with pytest.raises(TubeError) as caught:
        find(*arguments, **keywords)
    assert caught.value.code == "CHANNEL_MAP"
    assert str(caught.value).startswith("P01.fcs: ")
    assert "panels" in str(caught.value)
    return str(caught.value)


def test_labels_name_the_detectors() -> None:
    assert find(SOUND, "FSC-A", "SSC-A", "Time") == {
        "CD3": "APC-A",
        "CD8": "FITC-A",
        "CD69": "PerCP-A",
        "target": "PE-A",
    }


@pytest.mark.parametrize(
    ("marker", "label"),
    [
        ("CD3", "CD3"),
        ("CD3", "cd3e"),
        ("CD3", "APC/Cy7 CD3"),
        ("CD3", "BV785 - CD3"),
        ("CD3", "anti-CD3_APC"),
        ("CD3", "CD3;APC;660/20@640/A"),
        ("CD8", "CD8a"),
        ("CD8", "CD8b"),
        ("CD69", "CD69-FITC"),
        ("CD69", "CD69 7-AAD"),
    ],
)
def test_a_marker_is_a_whole_word_of_the_label(marker: str, label: str) -> None:
    detector = {"CD3": "APC-A", "CD8": "FITC-A", "CD69": "PerCP-A"}[marker]
    assert find({**SOUND, detector: label})[marker] == detector


@pytest.mark.parametrize("label", ["CD38", "CD31", "CD34", "CD3zeta", "CD", "xCD3", "CD33"])
def test_other_markers_are_not_cd3(label: str) -> None:
    assert "CD3: no detector" in refusal({**SOUND, "APC-A": label})


@pytest.mark.parametrize("label", ["CD45RA", "CD45RO", "CD45 RA", "CD45-RO", "CD44", "CD49d"])
def test_isoforms_of_cd45_are_not_cd45_nor_cd4(label: str) -> None:
    assert not {"CD4", "CD45"} & set(find({**SOUND, "BV421-A": label}))


@pytest.mark.parametrize(("marker", "label"), [("CD4", "CD4"), ("CD4", "CD4 BV421"), ("viability", "L/D Aqua")])
def test_optional_markers_are_found_where_stained(marker: str, label: str) -> None:
    assert find({**SOUND, "BV421-A": label})[marker] == "BV421-A"


@pytest.mark.parametrize("label", ["CD154", "CD40L", "cd40 ligand", "CD40-L PE", "CD154-2", "CD40LG", "CD154_PE"])
@pytest.mark.parametrize("reagent", ["CD154", "CD154-2"])
def test_words_for_cd154(label: str, reagent: str) -> None:
    assert find({**SOUND, "PE-A": label}, reagent=reagent)["target"] == "PE-A"
    assert "target (CD40-Ig): no detector" in refusal({**SOUND, "PE-A": label}, reagent="CD40-Ig")


@pytest.mark.parametrize(
    "label",
    ["CD40-Ig", "CD40 Ig", "CD40Ig", "CD40-muIg", "CD40-Fc", "cd40_mig PE", "CD40-huFc", "CD40-IgG1", "CD40-Ig/SA-PE"],
)
def test_words_for_cd40_ig(label: str) -> None:
    assert find({**SOUND, "PE-A": label}, reagent="CD40-Ig")["target"] == "PE-A"
    assert "target (CD154): no detector" in refusal({**SOUND, "PE-A": label})


@pytest.mark.parametrize("label", ["CD40", "CD1540", "CD40 Alexa", "isotype"])
def test_words_for_neither_target(label: str) -> None:
    for reagent in ("CD154", "CD40-Ig"):
        assert "target" in refusal({**SOUND, "PE-A": label}, reagent=reagent)


def test_both_targets_in_one_tube_are_kept_apart() -> None:
    combined = {**SOUND, "BV421-A": "CD40-Ig"}
    assert find(combined)["target"] == "PE-A"
    assert find(combined, reagent="CD40-Ig")["target"] == "BV421-A"


def test_a_background_tube_takes_the_detector_of_its_stimulated_tube() -> None:
    isotype = {**SOUND, "PE-A": "mouse IgG1"}
    assert find(isotype, reagent="isotype", target="PE-A")["target"] == "PE-A"
    assert "target: detector BV421-A is not in the file" in refusal(isotype, reagent="isotype", target="BV421-A")
    assert find(SOUND, reagent="FMO")["target"] == "PE-A"
    assert "target" in refusal(SOUND, reagent="secondary")


def test_the_panel_comes_before_the_labels() -> None:
    panel = {"CD3": {"detector": "FITC-A"}, "CD8": {"detector": "APC-A"}, "spillover": "none"}
    found = find(SOUND, panel=panel)
    assert (found["CD3"], found["CD8"]) == ("FITC-A", "APC-A")
    assert "CD3: detector X-A is not in the file" in refusal(SOUND, panel={"CD3": {"detector": "X-A"}})


def test_a_file_without_labels_is_read_by_the_panel_alone() -> None:
    bare = dict.fromkeys(("PE-A", "Alexa Fluor 488-A", "7-AAD-A", "Alexa Fluor 647-A"), "")
    markers = ("CD3", "CD8", "CD69", "target")
    panel = {marker: {"detector": detector} for marker, detector in zip(markers, bare, strict=True)}
    assert find(bare, panel=panel) == dict(zip(markers, bare, strict=True))


def test_the_detector_name_serves_where_no_label_does() -> None:
    names = dict.fromkeys(("CD8 FITC-A", "CD154", "CD3-A", "CD69-PE"), "")
    assert find(names) == {"CD3": "CD3-A", "CD8": "CD8 FITC-A", "CD69": "CD69-PE", "target": "CD154"}
    # A label that names another antigen outweighs the detector's name.
    assert "CD3: no detector" in refusal({**names, "CD3-A": "CD19"})


def test_the_area_of_a_marker_is_taken_before_height_and_width() -> None:
    measures = {"APC-W": "CD3", "APC-H": "CD3", "APC-A": "CD3"}
    assert find({**SOUND, **measures})["CD3"] == "APC-A"
    heights = {name: label for name, label in {**SOUND, **measures}.items() if name != "APC-A"}
    assert find(heights)["CD3"] == "APC-H"


def test_everything_missing_or_ambiguous_is_reported_at_once() -> None:
    message = refusal({"FITC-A": "CD8a", "BV650-A": "CD8b", "PE-A": "CD154"}, "FSC-A")
    for part in ("CD8: ambiguous, FITC-A or BV650-A", "CD3: no detector", "CD69: no detector", "PE-A (CD154)", "FSC-A"):
        assert part in message


def test_one_detector_for_two_markers_is_refused() -> None:
    assert "CD3 and CD8: both on FITC-A" in refusal({**SOUND, "FITC-A": "CD3 CD8", "APC-A": ""})
    both = {"CD3": {"detector": "APC-A"}, "CD8": {"detector": "APC-A"}}
    assert "CD3 and CD8: both on APC-A" in refusal(SOUND, panel=both)
    # What the panel gives away cannot be found by its label as well.
    assert "target (CD154): no other detector" in refusal(SOUND, panel={"CD3": {"detector": "PE-A"}})


def test_two_detectors_of_one_name_are_refused() -> None:
    assert "more than one detector called PE-A" in refusal(SOUND, "PE-A")


@pytest.mark.parametrize(
    "label",
    [
        "Viability",
        "Live/Dead",
        "LIVE DEAD Aqua",
        "L/D Aqua - Viability",
        "LD",
        "Zombie NIR",
        "7-AAD",
        "7AAD",
        "PI",
        "DAPI",
    ]
    + ["FVD eFluor 780", "FVS510", "Aqua", "viability;7-AAD;695/40@488/A", "Dead cells", "Ghost Dye"],
)
def test_words_for_viability(label: str) -> None:
    assert find({**SOUND, "BV510-A": label})["viability"] == "BV510-A"


@pytest.mark.parametrize(
    ("name", "label"),
    [("7-AAD-A", ""), ("DAPI-A", "CD19"), ("PI-A", ""), ("BV510-A", "CD19 PI"), ("BV510-A", "PI3K"), ("Aqua-A", "IgD")],
)
def test_a_dye_by_itself_is_not_viability(name: str, label: str) -> None:
    assert "viability" not in find({**SOUND, name: label})


def test_viability_by_the_name_of_the_detector() -> None:
    assert find({**SOUND, "Live/Dead Yellow-A": "Live"})["viability"] == "Live/Dead Yellow-A"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("FSC-A", "FSC-H", "FSC-W", "SSC-A", "SSC-H", "Time"), ("FSC-A", "SSC-A", "FSC-H", "FSC-W", "Time")),
        (("fsc-a", "ssc-a", "TIME"), ("fsc-a", "ssc-a", None, None, "TIME")),
        (("FSC-H", "SSC-H"), ("FSC-H", "SSC-H", None, None, None)),
        (("FSC-H", "FSC-W", "SSC-H"), ("FSC-H", "SSC-H", None, None, None)),
        (("FSC", "SSC"), ("FSC", "SSC", None, None, None)),
        (("FS INT", "FS PEAK", "FS TOF", "SS INT"), ("FS INT", "SS INT", "FS PEAK", "FS TOF", None)),
        (("FS INT LIN", "FS PEAK LIN", "SS INT LIN"), ("FS INT LIN", "SS INT LIN", "FS PEAK LIN", None, None)),
        (("FS", "SS"), ("FS", "SS", None, None, None)),
        (("FS Lin", "SS Lin"), ("FS Lin", "SS Lin", None, None, None)),
        (("FSC-Area", "FSC-Height", "SSC-Area"), ("FSC-Area", "SSC-Area", "FSC-Height", None, None)),
        (("FSC.H", "SSC.H"), ("FSC.H", "SSC.H", None, None, None)),
        (("FSC LogH", "SSC LogH"), ("FSC LogH", "SSC LogH", None, None, None)),
        (("SSC-B-A", "SSC-A", "FSC-A"), ("FSC-A", "SSC-A", None, None, None)),
    ],
)
def test_scatter_under_its_usual_names(names: tuple[str, ...], expected: tuple[str | None, ...]) -> None:
    found = find_scatter(header({}, *names), {}, "P01.fcs")
    assert (found.fsc, found.ssc, found.fsc_height, found.fsc_width, found.time) == expected


def test_missing_scatter_is_refused_with_what_the_file_has() -> None:
    with pytest.raises(TubeError, match=r"P01.fcs: no SSC detector .* FSC-A, PE-A \(CD154\)|P01.fcs: no SSC") as caught:
        find_scatter(header({"PE-A": "CD154"}, "FSC-A"), {}, "P01.fcs")
    assert caught.value.code == "CHANNEL_MAP"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("FSC 488/10-A", "FSC 488/10-H", "SSC 488/10-A"), ("FSC 488/10-A", "SSC 488/10-A", "FSC 488/10-H")),
        (("FS00-A", "FS00-H", "SS02-A"), ("FS00-A", "SS02-A", "FS00-H")),
        (("FSC-A", "FSC-H", "BSC-A"), ("FSC-A", "BSC-A", "FSC-H")),
        (("FSC-A", "FSC-H", "SSC (Violet)-A"), ("FSC-A", "SSC (Violet)-A", "FSC-H")),
        (("FSC-Area", "FSC-Height", "SSC1-Area"), ("FSC-Area", "SSC1-Area", "FSC-Height")),
        (("FSC.A", "FSC.H", "SSC.A"), ("FSC.A", "SSC.A", "FSC.H")),
        (("SSC-B-A", "SSC-A", "FSC-A"), ("FSC-A", "SSC-A", None)),
        (("SSC-V-A", "SSC-B-A", "FSC-A"), ("FSC-A", "SSC-B-A", None)),
        (("FSC 405/10-A", "FSC 405/10-H", "FSC 488/10-A", "SSC-A"), ("FSC 488/10-A", "SSC-A", None)),
        (("VSSC-A", "SSC-A", "FSC-A", "FSC-H"), ("FSC-A", "SSC-A", "FSC-H")),
        (("*FSC", "*SSC"), ("*FSC", "*SSC", None)),
        (("FSC-HLin", "SSC-HLin"), ("FSC-HLin", "SSC-HLin", None)),
        (("FSC-PMT-A", "FSC-A", "FSC-H", "SSC-A"), ("FSC-A", "SSC-A", "FSC-H")),
        (("Forward Scatter", "Side Scatter"), ("Forward Scatter", "Side Scatter", None)),
    ],
)
def test_scatter_as_instruments_name_it(names: tuple[str, ...], expected: tuple[str | None, ...]) -> None:
    """Height is that of the same detector as the area, or a doublet would be judged by two different signals."""
    found = find_scatter(header({}, *names), {}, "P01.fcs")

    assert (found.fsc, found.ssc, found.fsc_height) == expected


@pytest.mark.parametrize("name", ["FITC-A", "SSEA-4", "FSC CD3", "SS-PE-A", "BSA-A", "B515-A", "Foxp3", "Fs-labelled"])
def test_other_names_are_no_scatter(name: str) -> None:
    assert scatter_name(name) is None


@pytest.mark.parametrize("name", ["Time", "TIME", "HDR-T", "HDR_T", "TIME_MSW", "TIME_LSW", "Time MSW"])
def test_time_as_instruments_name_it(name: str) -> None:
    assert is_time(name)
    assert find_scatter(header({}, "FSC-A", "SSC-A", name), {}, "P01.fcs").time == name


def test_of_a_clock_in_two_words_the_high_one_is_taken() -> None:
    assert find_scatter(header({}, "FSC-A", "SSC-A", "TIME_LSW", "TIME_MSW"), {}, "x").time == "TIME_MSW"
    assert not is_time("Timer PE-A")


def test_the_panel_names_scatter_and_time() -> None:
    odd = header({}, "ALL-Forward", "ALL-Side", "Ticks", "FSC-A", "SSC-A", "Time")
    panel = {
        role: {"detector": name} for role, name in (("FSC", "ALL-Forward"), ("SSC", "ALL-Side"), ("time", "Ticks"))
    }

    found = find_scatter(odd, panel, "P01.fcs")

    assert (found.fsc, found.ssc, found.time, found.fsc_height) == ("ALL-Forward", "ALL-Side", "Ticks", None)
    with pytest.raises(TubeError, match="SSC: detector Sideways is not in the file"):
        find_scatter(odd, {"SSC": {"detector": "Sideways"}}, "P01.fcs")


def test_two_detectors_labelled_cd45_refuse_nothing() -> None:
    """Nothing is gated on CD45, and it may be stained for two purposes."""
    assert "CD45" not in find({**SOUND, "BV421-A": "CD45", "BV650-A": "CD45"})
    panel = {"CD45": {"detector": "BV650-A"}}
    assert find({**SOUND, "BV421-A": "CD45", "BV650-A": "CD45"}, panel=panel)["CD45"] == "BV650-A"
