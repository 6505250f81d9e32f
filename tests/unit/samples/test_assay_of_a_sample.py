"""The tubes of a sample are read by the markers of its own assay, whatever looks at them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

import cd40l_flow.api as cd
import cd40l_flow.plot as plot
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.cli.main import main
from cd40l_flow.cohort.check import check_files
from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.figures.main_figure import encoded
from helpers.results.records import write_pair
from helpers.runs.cohorts import DEMO, demo_samples, make_cohort

# A sample of each assay, its control and its call in the truth of the demo cohort.
SAMPLES = {"P03": ("C01", "ABSENT"), "P03M": ("C01M", "SWITCHED_ABSENT"), "P02R": ("C01R", "CD40_ABSENT")}
CONTROLS = [control for control, _ in SAMPLES.values()]
FCS = DEMO / "fcs"


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a working directory with a sample of each assay and its control."""
    return make_cohort(tmp_path_factory.mktemp("assays") / "cohort", [*CONTROLS, *SAMPLES])


@pytest.fixture(scope="module")
def called(cohort: Path) -> Callable[[str], cd.Called]:
    """Return what calls a sample, each once."""
    found: dict[str, cd.Called] = {}

    def call(sample: str) -> cd.Called:
        if sample not in found:
            found[sample] = cd.call(cohort / "config/config.yaml", sample, directory=cohort)
        return found[sample]

    return call


def person(called: cd.Called) -> plot.Person:
    return plot.of(called.result, called.arrays)


def words(figure: Figure) -> str:
    return encoded(figure, "svg").decode()


def test_the_check_of_the_demo_cohort_finds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file of any assay is wrong; the command is what the workflow's rule calls."""
    monkeypatch.chdir(make_cohort(tmp_path / "cohort", demo_samples()))

    assert main(["check", "--out", "check.json"]) == 0

    assert {sample.assay for sample in load_plan("config/config.yaml").samples.values()} == {
        "cd40l",
        "memory_b",
        "cd40",
    }
    assert json.loads(Path("check.json").read_text(encoding="utf-8"))["problems"] == []


@pytest.mark.parametrize(
    ("sample", "tube", "instead", "lacking"),
    [
        ("P03M", "P03M_memory.fcs", "P03_stim_cd154.fcs", ["CD19", "CD27", "IgD"]),
        ("P02R", "P02R_cd40.fcs", "P03M_memory.fcs", ["target (CD40)"]),
        ("P03", "P03_stim_cd154.fcs", "P03M_memory.fcs", ["CD8", "CD69", "target (CD154)"]),
    ],
)
def test_a_tube_of_another_assay_is_found(
    sample: str, tube: str, instead: str, lacking: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check names the markers that the assay of the sample needs and the file lacks."""
    directory = make_cohort(tmp_path / "cohort", [sample, SAMPLES[sample][0]])
    (directory / "fcs" / tube).unlink()
    (directory / "fcs" / tube).symlink_to(FCS / instead)
    monkeypatch.chdir(directory)

    found = [problem for problem in check_files(load_plan("config/config.yaml")) if problem.file == tube]

    assert [problem.code for problem in found] == ["CHANNEL_MAP"]
    for marker in lacking:
        assert f"{marker}: no detector carries this label" in found[0].message


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_call_is_that_of_the_command(
    sample: str,
    cohort: Path,
    called: Callable[[str], cd.Called],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sample and control are called as the truth says, and result.json is the same, byte for byte."""
    control, call = SAMPLES[sample]
    here = called(sample)
    assert current_assay().name == "cd40l"
    monkeypatch.chdir(cohort)

    assert main(["run", "--sample", sample]) == 0

    assert here.result.call == call
    assert [one.result.sample for one in here.controls] == [control]
    for one in (here, *here.controls):
        write_pair(tmp_path, one.result, one.arrays)
        theirs = cohort / "results/samples" / one.result.sample / "result.json"
        assert (tmp_path / "result.json").read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize(("sample", "said"), [("P03M", "SWITCHED_ABSENT"), ("P02R", "CD40_ABSENT")])
def test_a_report_of_a_b_cell_assay_is_written(
    sample: str, said: str, called: Callable[[str], cd.Called], tmp_path: Path
) -> None:
    page = cd.report(called(sample), tmp_path / "page.html").read_text(encoding="utf-8")

    assert said in page
    assert SAMPLES[sample][0] in page


def test_b_cells_are_gated_by_their_reagents() -> None:
    """Reagents name the assay: a memory tube and its FMO are gated to switched cells, without CD8 or CD69."""
    tubes = [
        cd.read(FCS / "P01M_memory.fcs", reagent="memory"),
        cd.read(FCS / "P01M_memory_fmo27.fcs", reagent="memory-FMO27"),
    ]

    gated = cd.gate(tubes, name="P01M")

    assert {"CD19", "CD27", "IgD"} <= set(tubes[0].markers)
    assert [events.tube.stimulation for events in tubes] == ["unstimulated", "unstimulated"]
    assert gated.sample.assay == "memory_b"
    stained, fmo = gated.tubes
    assert 0 < stained.mask("switched").sum() < stained.mask("CD19+").sum()
    assert fmo.mask("switched").sum() < 0.02 * fmo.mask("CD19+").sum()
    with pytest.raises(Cd40lFlowError, match="the assay memory_b has no target"):
        cd.target_cells(gated, "memory", "CD19+")


def test_cd40_is_read_from_its_own_tubes() -> None:
    """CD40 of a healthy person's B cells lies far above the isotype, which is measured in the detector it is told."""
    stained = cd.read(FCS / "P01R_cd40.fcs", reagent="CD40")
    target = {"target": stained.markers["target"]}
    isotype = cd.read(FCS / "P01R_cd40_isotype.fcs", reagent="CD40-isotype", detectors=target)

    gated = cd.gate([stained, isotype])

    level, dark = (np.median(cd.target_cells(gated, reagent, "CD19+")) for reagent in ("CD40", "CD40-isotype"))
    assert level > 10 * dark


def test_tubes_of_two_assays_are_no_sample() -> None:
    tubes = [cd.read(FCS / "P01R_cd40.fcs", reagent="CD40"), cd.read(FCS / "P01M_memory.fcs", reagent="memory")]
    with pytest.raises(Cd40lFlowError, match="tubes of the assays cd40, memory_b"):
        cd.gate(tubes)


def test_the_main_figure_is_that_of_the_assay(called: Callable[[str], cd.Called]) -> None:
    """Each shows what its assay measures, and nothing of the others."""
    found = {sample: called(sample) for sample in SAMPLES}
    drawn = {sample: words(plot.main(person(one), person(one.controls[0]))) for sample, one in found.items()}

    own = {"P03": "CD69", "P03M": "Switched memory by age", "P02R": "CD40 over the controls"}
    assert {sample: [word for word in own.values() if word in drawn[sample]] for sample in own} == {
        sample: [word] for sample, word in own.items()
    }


def test_parts_of_the_figure_are_those_of_the_assay(called: Callable[[str], cd.Called]) -> None:
    """Quadrants are of CD27 and IgD, histograms of CD40; what an assay lacks is refused with what it has."""
    memory, cd40 = person(called("P03M")), person(called("P02R"))
    axes = Figure().subplots(1, 4)

    plot.quadrants(axes[0], memory)
    plot.quadrants(axes[1], memory, kind="memory-FMO27")
    plot.histograms(axes[2], cd40)
    plot.histograms(axes[3], cd40, reagent="CD40 on monocytes")

    assert [one.images[0].get_visible() for one in axes[:2]] == [True, True]
    for one, names in zip(axes, (("IgD", "CD27"), ("IgD", "CD27"), ("B cells",), ("monocytes",)), strict=True):
        shown = " ".join(text.get_text() for text in one.texts)
        assert all(name in shown for name in names)
    for drawing, match in (
        (lambda: plot.quadrants(axes[0], cd40), "the assay cd40 has no quadrants"),
        (lambda: plot.histograms(axes[0], memory), "the assay memory_b has no target"),
        (lambda: plot.quadrants(axes[0], memory, kind="stimulated"), "expected memory or memory-FMO27"),
        (lambda: plot.histograms(axes[0], cd40, reagent="CD154"), "expected CD40 on B cells or CD40 on monocytes"),
    ):
        with pytest.raises(Cd40lFlowError, match=match):
            drawing()


@pytest.mark.parametrize(
    ("fcs", "assay", "roles"),
    [
        ("P03M_memory.fcs", "labels of the assay memory_b", {"FITC-A": "IgD", "BV421-A": "CD27", "PE-Cy7-A": "CD19"}),
        ("P02R_cd40.fcs", "labels of the assay cd40", {"FITC-A": "CD14", "PE-A": "target (CD40)", "PE-Cy7-A": "CD19"}),
        ("P03_stim_cd154.fcs", "spillover of 5 detectors", {"APC-H7-A": "CD8", "PE-A": "target (CD154)"}),
    ],
)
def test_a_file_is_inspected_by_the_assay_of_its_labels(
    fcs: str, assay: str, roles: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Every detector has the role of that assay, and no marker of another is missed."""
    assert main(["inspect", str(FCS / fcs)]) == 0

    first, *lines = capsys.readouterr().out.splitlines()
    assert first.endswith(assay)
    assert not [line for line in lines if "panel:" in line]
    for detector, role in roles.items():
        assert [line for line in lines if line.split()[:1] == [detector] and line.endswith(f"  {role}")]
