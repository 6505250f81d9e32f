"""Names that other programs and file systems rewrite: every sample keeps its own name, or is refused in words."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from msgspec.structs import replace

from cd40l_flow.interop.multiqc import write_multiqc
from cd40l_flow.result.types.result import Result
from helpers.results.records import as_result
from helpers.results.report_samples import SCENARIOS, make_result

ALLOWED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
CALLS = ("ABSENT", "NORMAL", "MOSAIC", "REDUCED", "INDETERMINATE")


def cohort(names: list[str], runs: tuple[str, ...] = ("R1",)) -> list[Result]:
    """Return results of samples whose numbers and calls all differ from their neighbours'."""
    base = as_result(make_result(SCENARIOS["NORMAL"]))
    measures = base.reagents["CD154"]
    return [
        replace(
            base,
            sample=name,
            run=runs[number % len(runs)],
            call=CALLS[number % len(CALLS)],
            activated_events=1000 + number,
            reagents={"CD154": replace(measures, negative_fraction=number / 1000)},
        )
        for number, name in enumerate(names)
    ]


def read_by_multiqc(multiqc: str, folder: Path, results: list[Result]) -> tuple[dict[str, Any], str]:
    """Return the data and the page that MultiQC makes, called without any option that touches names."""
    write_multiqc(results, folder / "results/multiqc/cd40l_flow_mqc.json")
    command = [multiqc, "results", "--outdir", "out", "--no-version-check", "--strict", "--data-format", "json"]
    process = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr[-2000:]
    data = json.loads((folder / "out/multiqc_data/multiqc_data.json").read_text(encoding="utf-8"))
    return data, (folder / "out/multiqc_report.html").read_text(encoding="utf-8")


def hostile(multiqc: str) -> list[str]:
    """Return ids made of everything that this MultiQC cuts off names, alone, inside and at the end of them."""
    folder = Path(multiqc).resolve().parents[1]
    defaults = yaml.safe_load(next(folder.glob("lib/*/site-packages/multiqc/config_defaults.yaml")).read_text())
    cut = [one if isinstance(one, str) else one["pattern"] for one in defaults["fn_clean_exts"]]
    assert {".fa", ".clean", ".sorted"} <= set(cut) and "_trimmed" in defaults["fn_clean_trim"]
    names = {
        "P03",
        "P03.father",
        "2024",
        "1e5",
        "0012",
        "1.0",
        "nan",
        "true",
        "P03_R1",
        "P03_R2",
        "P03.",
        "P03_",
        "P03-",
    }
    for one in (*cut, *defaults["fn_clean_trim"]):
        names |= {f"P03{one}", f"P03{one}ther", f"P03{one}.x", one.strip("._-:"), f"{one.strip('._-:')}P03"}
    return sorted(name for name in names if ALLOWED.fullmatch(name))


def test_every_sample_keeps_its_name_and_call_in_multiqc(tmp_path: Path, require: Callable[[str], str]) -> None:
    """P03.father is not P03: of 700 names that MultiQC would clean into each other, each has its row and its call."""
    multiqc = require("multiqc")
    results = cohort(hostile(multiqc))

    data, page = read_by_multiqc(multiqc, tmp_path, results)

    (general,) = data["report_general_stats_data"].values()
    assert len(results) > 500
    assert {name: (row["call"], row["activated_events"]) for name, row in general.items()} == {
        one.sample: (one.call, one.activated_events) for one in results
    }
    fractions = data["report_saved_raw_data"]["multiqc_cd40l_flow_negative_fraction_plot"]
    assert {name: row["cd154_negative_fraction"] for name, row in fractions.items()} == {
        one.sample: one.reagents["CD154"].negative_fraction for one in results
    }
    # Of many samples MultiQC's own tables become plots that name none: the calls stand in a table of ours.
    for one in results:
        assert f"<td>{one.sample}</td><td>R1</td><td>test</td><td>{one.call}</td>" in page


def test_runs_keep_their_names_in_multiqc(tmp_path: Path, require: Callable[[str], str]) -> None:
    """A run's name is free text: it is neither cleaned, nor read as a comment, a number or HTML."""
    multiqc = require("multiqc")
    runs = ("R1", "R1.father", "R1_trimmed", "# id: x", "007", '"R1"', "'R1'", "<b>R1</b>", "a & b", "R1: {x}", "=1+1")

    data, page = read_by_multiqc(multiqc, tmp_path, cohort([f"P{number:02d}" for number in range(len(runs))], runs))

    found = data["report_saved_raw_data"]["multiqc_cd40l_flow_runs_table"]
    shown = {
        "<b>R1</b>": "&lt;b&gt;R1&lt;/b&gt;",
        "a & b": "a &amp; b",
        "=1+1": "'=1+1",
        '"R1"': "&quot;R1&quot;",
        "'R1'": "&#x27;R1&#x27;",
    }
    assert set(found) == {shown.get(run, run) for run in runs}
    assert all(row["samples"] == 1 for row in found.values())
    assert "<b>R1</b>" not in page


def test_sections_of_earlier_versions_do_not_stay(tmp_path: Path) -> None:
    """MultiQC reads whatever lies in the folder: what was written under other names before must go."""
    out = tmp_path / "multiqc/cd40l_flow_mqc.json"
    out.parent.mkdir()
    for name in ("cd40l_flow_runs_mqc.json", "cd40l_flow_negative_fraction_mqc.json"):
        out.with_name(name).write_text('{"id": "old", "data": {"P03": {"call": "NORMAL"}}}', encoding="utf-8")

    write_multiqc(cohort(["P03"]), out)

    assert sorted(path.name for path in out.parent.iterdir()) == [
        "cd40l_flow_general_mqc.tsv",
        "cd40l_flow_methods_mqc.json",
        "cd40l_flow_mqc.json",
        "cd40l_flow_mqc_versions.yml",
        "cd40l_flow_negative_fraction_mqc.tsv",
        "cd40l_flow_runs_mqc.tsv",
    ]
