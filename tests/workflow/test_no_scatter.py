"""Recordings without scatter, as those of a mass cytometer: gated without it where the panel says so."""

from __future__ import annotations

from pathlib import Path

import flowio
import numpy as np
import pytest

from helpers.runs.cohorts import cd40l_flow, make_cohort, output, replace_file, result

# What the module is about is made once: its tests go to one process.
pytestmark = pytest.mark.xdist_group("no_scatter")

SCATTER = ("FSC", "SSC")


def without_scatter(path: Path) -> bytes:
    """Return a simulated tube without its scatter detectors."""
    parsed = flowio.FlowData(str(path))
    names = [parsed.channels[n]["pnn"] for n in sorted(parsed.channels)]
    labels = [parsed.channels[n].get("pns", "") for n in sorted(parsed.channels)]
    kept = [at for at, name in enumerate(names) if not name.startswith(SCATTER)]
    values = np.reshape(np.asarray(parsed.events), (-1, len(names)))[:, kept]
    out = path.with_suffix(".bare")
    with out.open("wb") as file:
        flowio.create_fcs(
            file,
            values.ravel().tolist(),
            [names[at] for at in kept],
            opt_channel_names=[labels[at] for at in kept],
            metadata_dict={"spillover": parsed.text.get("spillover", parsed.text.get("spill", "")), "timestep": "0.01"},
        )
    content = out.read_bytes()
    out.unlink()
    return content


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cohort = make_cohort(tmp_path_factory.mktemp("bare") / "cohort", ("C01", "P03"))
    for path in sorted((cohort / "fcs").glob("*.fcs")):
        copy = path.with_suffix(".copy")
        copy.write_bytes(path.read_bytes())
        replace_file(cohort, path.name, without_scatter(copy))
        copy.unlink()
    config = cohort / "config" / "config.yaml"
    text = config.read_text(encoding="utf-8")
    assert "default: {}" in text
    (cohort / "config" / "plain.yaml").write_text(text, encoding="utf-8")
    config.write_text(text.replace("default: {}", "default: {scatter: none}"), encoding="utf-8")
    return cohort


@pytest.fixture(scope="module")
def analysed(bare: Path) -> Path:
    process = cd40l_flow("run", "--sample", "P03", "--directory", bare)
    assert process.returncode == 0, process.stderr
    return bare


def test_without_a_word_of_the_panel_such_a_tube_is_refused_with_the_remedy(bare: Path) -> None:
    process = cd40l_flow("check", "--directory", bare, "--configfile", bare / "config" / "plain.yaml")

    assert "no FSC and SSC detector under a usual name" in process.stderr
    assert "under `panels`" in process.stderr


def test_with_scatter_none_a_sample_is_gated_without_it_and_says_so(analysed: Path) -> None:
    found = result(analysed, "P03")
    assert found["call"] in ("ABSENT", "INDETERMINATE")
    assert found["reagents"]["CD154"]["negative_fraction"] > 0.95
    assert any("no scatter" in one["text"] for one in found["messages"])
    tube = found["tubes"][0]
    counts = {one["population"]: one["count"] for one in tube["populations"]}
    assert counts["lymphocytes"] == counts["time"]
    assert "no scatter, as the panel says" in output(analysed, "P03", "report.html").read_text(encoding="utf-8")


def test_the_gates_of_such_a_sample_are_read_back_with_equal_counts(analysed: Path) -> None:
    folder = output(analysed, "P03", "result.json").parent.relative_to(analysed)
    places = ("--gatingml", folder / "g.xml", "--wsp", folder / "g.wsp", "--table", folder / "g.tsv")

    process = cd40l_flow("export", "--result", folder / "result.json", *places, "--directory", analysed)

    assert process.returncode == 0, process.stderr
    assert "read back with equal counts" in process.stderr
