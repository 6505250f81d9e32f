"""The plan: the sheets together, and what each sample's result depends on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cd40l_flow.base.errors import InputsError
from cd40l_flow.cohort.config import load_config
from cd40l_flow.cohort.job import planned, read_job, write_job
from cd40l_flow.cohort.plan import Plan, load_plan, make_plan

SHEETS = {
    "samples": """sample run role sex age_years control ward
C01 R1 control F 34 - 3
C02 R1 control M 40 - 3
P01 R1 test M 1.5 - 7
P02 R1 test F 30 C02 -
C03 R2 control F 20 - -
P03 R2 test M 4 - -
""",
    "tubes": """sample fcs stimulation reagent panel
C01 C01_s.fcs stimulated CD154 -
C01 C01_u.fcs unstimulated CD154 -
C02 C02_s.fcs stimulated CD154 -
P01 P01_f.fcs stimulated FMO old
P01 P01_g.fcs stimulated CD40-Ig -
P01 P01_s2.fcs stimulated CD154 -
P01 P01_s1.fcs stimulated CD154 -
P01 P01_u.fcs unstimulated CD154 -
P02 P02_s.fcs stimulated CD154 -
C03 C03_s.fcs stimulated CD154 -
P03 P03_s.fcs stimulated CD154 -
""",
    "overrides": """sample tube gate value by reason
P01 P01_u.fcs cd3_low 1200 AB dim
P01 - cd3_low 1100 AB dim
C02 - cd8_high 900 AB dim
""",
    "config": """samples: samples.tsv
tubes: tubes.tsv
overrides: overrides.tsv
fcs_dir: fcs
panels: {old: {CD3: {detector: FL3-H}}, unused: {}}
show_columns: [ward]
""",
}
Planner = Callable[..., Plan]


@pytest.fixture
def planner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Planner:
    """Return what makes a plan of the sheets above after replacing texts: ``samples=("P03 R2", "P03 R1")``."""
    monkeypatch.chdir(tmp_path)
    Path("fcs").mkdir()

    def make(**changes: tuple[str, str]) -> Plan:
        for name, text in SHEETS.items():
            old, new = changes.get(name, ("", ""))
            assert old in text
            text = text.replace(old, new, 1) if old else text
            if name == "config":
                Path("config.yaml").write_text(text)
            else:
                rows = [["" if cell == "-" else cell for cell in line.split(" ")] for line in text.splitlines()]
                Path(f"{name}.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))
        return load_plan("config.yaml")

    return make


def jobs(plan: Plan) -> dict[str, str]:
    """Return the file of every job, whatever its FCS files hold."""
    written = {name: write_job(planned(plan.job(name), lambda _: "unread"), Path("jobs")) for name in plan.samples}
    return {name: path.read_text(encoding="utf-8") for name, path in written.items()}


def test_samples_and_tubes_have_one_order(planner: Planner) -> None:
    """Samples are sorted by name, tubes by stimulation, reagent and file, whatever the sheets' order."""
    Path("fcs/P01_u.fcs").touch()
    plan = planner()

    assert list(plan.samples) == ["C01", "C02", "C03", "P01", "P02", "P03"]
    tubes = plan.samples["P01"].tubes
    assert [tube.fcs for tube in tubes] == ["P01_u.fcs", "P01_s1.fcs", "P01_s2.fcs", "P01_g.fcs", "P01_f.fcs"]
    assert [tube.present for tube in tubes] == [True, False, False, False, False]
    assert tubes[0].path == "fcs/P01_u.fcs"
    assert plan.samples["P01"].extra == (("ward", "7"),)
    assert plan.files("P01") == ("fcs/P01_u.fcs",)


def test_controls(planner: Planner) -> None:
    """A sample has the control its row names, else all of its run; a control is judged by the others."""
    plan = planner()

    assert plan.controls == {
        "C01": ("C02",),
        "C02": ("C01",),
        "C03": (),
        "P01": ("C01", "C02"),
        "P02": ("C02",),
        "P03": ("C03",),
    }


def test_a_job_is_the_slice_of_its_sample(planner: Planner) -> None:
    """A test sample's job holds its own rows, a control's those of all controls of the run, measured together."""
    plan = planner()
    test, control = plan.job("P01"), plan.job("C01")

    assert test.run_controls == ()
    assert [(one.tube, one.value) for one in test.overrides] == [("", 1100.0), ("P01_u.fcs", 1200.0)]
    assert test.settings.panels == {"default": {}, "old": {"CD3": {"detector": "FL3-H"}}}
    assert test.settings.limits.odds.call_odds == 100
    assert [sample.sample for sample in control.run_controls] == ["C01", "C02"]
    assert [one.sample for one in control.overrides] == ["C02"]
    assert control.settings.panels == {"default": {}}


def test_jobs_survive_their_files(planner: Planner) -> None:
    """A job read back from its file is equal, and its file is the same again."""
    plan = planner()
    for name, text in jobs(plan).items():
        again = read_job(Path("jobs") / f"{name}.json")
        assert again.job == plan.job(name)
        assert write_job(again, Path("again")).read_text(encoding="utf-8") == text
        assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))


@pytest.mark.parametrize(
    ("change", "touched"),
    [
        ({"samples": ("P01 R1 test M 1.5", "P01 R1 test M 2.5")}, {"P01"}),
        ({"samples": ("P03 R2 test M 4 - -", "P03 R2 test M 4 - 9")}, {"P03"}),
        ({"tubes": ("P02_s.fcs stimulated CD154 -", "P02_s.fcs stimulated CD154-2 -")}, {"P02"}),
        ({"overrides": ("1200", "1300")}, {"P01"}),
        ({"overrides": ("C02 - cd8_high 900", "C02 - cd8_high 901")}, {"C01", "C02"}),
        ({"samples": ("C01 R1 control F 34", "C01 R1 control F 35")}, {"C01", "C02"}),
        ({"config": ("FL3-H", "FL2-H")}, {"P01"}),
        ({"config": ("unused: {}", "unused: {CD3: {detector: x}}")}, set()),
        ({"samples": ("C03 R2", "\nC03 R2")}, set()),
        (
            {"config": ("fcs_dir: fcs", "fcs_dir: fcs\nrequire_function: false")},
            {"C01", "C02", "C03", "P01", "P02", "P03"},
        ),
    ],
)
def test_a_change_touches_only_its_samples(
    planner: Planner, change: dict[str, tuple[str, str]], touched: set[str]
) -> None:
    """Of one changed line only the jobs change that depend on it; of a control's, those of the controls of its run."""
    before, after = jobs(planner()), jobs(planner(**change))

    assert {name for name in before if before[name] != after[name]} == touched


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"samples": ("P02 R1", "P01 R1")}, ("samples.tsv", 5, "sample", "sample 'P01' is on line 4 already.")),
        ({"samples": ("P02 R1", "p01 R1")}, ("samples.tsv", 5, "sample", "'p01' differs only in case from 'P01'")),
        ({"samples": ("30 C02", "30 C09")}, ("samples.tsv", 5, "control", "there is no sample 'C09'.")),
        ({"samples": ("30 C02", "30 P01")}, ("samples.tsv", 5, "control", "'P01' has the role test.")),
        ({"samples": ("30 C02", "30 P02")}, ("samples.tsv", 5, "control", "a sample cannot be its own control.")),
        (
            {"samples": ("30 C02", "30 C03")},
            ("samples.tsv", 5, "control", "'C03' belongs to run 'R2', this sample to run"),
        ),
        ({"tubes": ("P03 P03", "P99 P03")}, ("tubes.tsv", 12, "sample", "there is no sample 'P99'.")),
        ({"tubes": ("FMO old", "FMO new")}, ("tubes.tsv", 5, "panel", "there is no panel 'new'.")),
        ({"overrides": ("P01 P01_u", "P09 P01_u")}, ("overrides.tsv", 2, "sample", "there is no sample 'P09'.")),
        ({"overrides": ("P01_u.fcs", "P01_x.fcs")}, ("overrides.tsv", 2, "tube", "sample 'P01' has no tube")),
        ({"overrides": ("P01_u.fcs", "-")}, ("overrides.tsv", 3, "gate", "cd3_low of 'P01' is set on line 2 already.")),
        ({"overrides": ("cd8_high 900", "time_low -1")}, ("overrides.tsv", 4, "value", "found -1.")),
        ({"config": ("overrides.tsv", "none.tsv")}, ("none.tsv", None, None, "cannot be read: No such file")),
        ({"config": ("ward", "wards")}, ("config.yaml", 6, "show_columns", "samples.tsv has no column 'wards'.")),
        (
            {"config": ("show_columns: [ward]", "identity: {wards: Ward}")},
            ("config.yaml", 6, "identity.wards", "samples.tsv has no column 'wards'."),
        ),
        (
            {"config": ("show_columns: [ward]", "show_columns: [ward]\nidentity: {run: ward}")},
            ("config.yaml", 7, "identity.run", '"ward" is the label of another column too.'),
        ),
        ({"config": ("fcs_dir: fcs", "fcs_dir: csf")}, ("config.yaml", 4, "fcs_dir", "there is no folder 'csf'.")),
    ],
)
def test_a_contradiction_is_reported_where_it_is(
    planner: Planner, change: dict[str, tuple[str, str]], told: tuple[str, int, str, str]
) -> None:
    """What one sheet says against another stops everything, and is reported at its place."""
    with pytest.raises(InputsError) as caught:
        planner(**change)

    file, line, column, message = told
    problems = [problem for problem in caught.value.problems if problem.message.startswith(message)]
    assert [(p.file, p.line, p.column, p.severity) for p in problems] == [(file, line, column, "fatal")]
    assert problems[0].remedy


def test_boundaries_must_not_cross(planner: Planner) -> None:
    """A lower boundary above its upper one selects nothing."""
    with pytest.raises(InputsError, match="singlet_low, 2, is not below singlet_high on line 3"):
        planner(
            overrides=(
                "P01 P01_u.fcs cd3_low 1200 AB dim\nP01 - cd3_low 1100",
                "P01 - singlet_low 2 AB dim\nP01 - singlet_high 1",
            )
        )


def test_everything_is_reported_at_once(planner: Planner) -> None:
    """Problems of the configuration and of each sheet come together; a bad row is not reported as missing elsewhere."""
    with pytest.raises(InputsError) as caught:
        planner(
            config=("fcs_dir", "limit: {}\nfcs_dir"),
            samples=("P01 R1 test M", "P01 R1 test X"),
            tubes=("P03 P03", "P99 P03"),
            overrides=("1200", "x"),
        )

    assert [(p.file, p.column) for p in caught.value.problems] == [
        ("config.yaml", "limit"),
        ("samples.tsv", "sex"),
        ("tubes.tsv", "sample"),
        ("overrides.tsv", "value"),
    ]
    assert "4 problems" in str(caught.value)


def test_a_repeated_file_refuses_both_tubes_and_nothing_else(planner: Planner) -> None:
    """The same file cannot be of two samples: both tubes are FILE_INTEGRITY, other samples are unhurt."""
    plan = planner(tubes=("P02_s.fcs", "./P01_g.fcs"))

    told = [(p.code, p.severity, p.line, p.sample) for p in plan.warnings if p.severity == "sample"]
    assert told == [("FILE_INTEGRITY", "sample", 6, "P01"), ("FILE_INTEGRITY", "sample", 10, "P02")]
    assert plan.job("P01").settings.refused == {
        "P01": {
            "P01_g.fcs": "the tubes sheet names this file for stimulated CD40-Ig and again for stimulated CD154 of "
            "P02. Name each file once; only a stimulated tube may be named for several reagents of its sample."
        }
    }
    assert plan.job("P03").settings.refused == {}


def test_a_copy_under_another_name_refuses_both_tubes(planner: Planner) -> None:
    """One recording cannot be of two samples, whatever its copies are called; files of one size alone are no copies."""
    content = {name: bytes([number]) * 9000 for number, name in enumerate(("P01_s1", "P01_u", "P03_s", "C03_s"))}
    content |= {"P01_g": b"one" * 3000, "P02_s": b"one" * 3000}
    for name, data in content.items():
        Path(f"fcs/{name}.fcs").write_bytes(data)

    plan = planner()

    assert plan.refused == {
        "P01": {
            "P01_g.fcs": "it is the same file as P02_s.fcs, which the tubes sheet names for stimulated CD154 of P02. "
            "Put the right file in the place of the copy."
        },
        "P02": {
            "P02_s.fcs": "it is the same file as P01_g.fcs, which the tubes sheet names for stimulated CD40-Ig of P01. "
            "Put the right file in the place of the copy."
        },
    }
    told = [(p.code, p.severity, p.line, p.sample) for p in plan.warnings if p.code == "FILE_INTEGRITY"]
    assert told == [("FILE_INTEGRITY", "sample", 6, "P01"), ("FILE_INTEGRITY", "sample", 10, "P02")]


def test_of_many_copies_a_message_names_a_few(planner: Planner) -> None:
    """Ten tubes of the same bytes are all refused; none of them reports all the others."""
    names = ("C01_s", "C01_u", "C02_s", "P01_f", "P01_g", "P01_s2", "P01_s1", "P02_s", "C03_s", "P03_s")
    for name in names:
        Path(f"fcs/{name}.fcs").write_bytes(b"one" * 3000)

    plan = planner()

    assert {(sample, fcs) for sample, tubes in plan.refused.items() for fcs in tubes} == {
        (name[:3], f"{name}.fcs") for name in names
    }
    for tubes in plan.refused.values():
        assert all("4 more" in why and sum(f"{name}.fcs" in why for name in names) == 5 for why in tubes.values())


def test_a_combined_tube_is_no_repeat(planner: Planner) -> None:
    """One stimulated tube may be read for several reagents of its sample."""
    plan = planner(tubes=("P01_g.fcs", "P01_s1.fcs"))

    assert plan.refused == {}
    assert len(plan.samples["P01"].tubes) == 5


@pytest.mark.parametrize("repeat", [("P01_u.fcs", "P01_s1.fcs"), ("P01_s2.fcs", "P01_s1.fcs")])
def test_other_repeats_within_a_sample_are_refused(planner: Planner, repeat: tuple[str, str]) -> None:
    """A file is not stimulated and unstimulated at once, nor its own replicate."""
    plan = planner(tubes=repeat, overrides=("P01 P01_u.fcs", "P01 P01_g.fcs"))

    assert list(plan.refused) == ["P01"]


def test_warnings_stop_nothing(planner: Planner) -> None:
    """A run without a control and a sample without tubes are reported, and the plan is made."""
    plan = planner(samples=("P03 R2", "P03 R9"), tubes=("P02 P02_s.fcs", "P01 P02_s.fcs"))
    told = {(p.code, p.sample, p.message) for p in plan.warnings}

    assert ("CONTROL_ABSENT", None, "run 'R9' has no control.") in told
    assert ("TUBE_MISSING", "P02", "sample 'P02' has no tubes.") in told
    assert plan.controls["P03"] == ()
    assert {p.severity for p in plan.warnings} == {"warning"}


def test_an_empty_sheet_of_samples_is_reported(planner: Planner) -> None:
    """A cohort of nobody is a mistake."""
    with pytest.raises(InputsError, match="the sheet names no sample"):
        planner(samples=(SHEETS["samples"].partition("\n")[2], ""))


def test_make_plan_takes_a_loaded_configuration(planner: Planner) -> None:
    """A configuration loaded on its own gives the same plan."""
    plan = planner()
    config, problems = load_config("config.yaml")

    assert problems == []
    assert config is not None
    assert jobs(make_plan(config)) == jobs(plan)


@pytest.mark.slow
def test_five_thousand_samples_are_planned_with_one_look_at_their_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files of 5,000 samples with five tubes each are told from one listing; each has the control of its run."""
    monkeypatch.chdir(tmp_path)
    Path("fcs").mkdir()
    reagents = ("CD154", "isotype", "CD40-Ig", "secondary", "CD154-2")
    names = [f"P{number:04}" for number in range(5000)]
    samples = [f"{name}\tR{n // 20}\t{'test' if n % 20 else 'control'}\tM\n" for n, name in enumerate(names)]
    tubes = [f"{name}\t{name}_{reagent}.fcs\tstimulated\t{reagent}\n" for name in names for reagent in reagents]
    Path("samples.tsv").write_text("sample\trun\trole\tsex\n" + "".join(samples))
    Path("tubes.tsv").write_text("sample\tfcs\tstimulation\treagent\n" + "".join(tubes))
    Path("config.yaml").write_text("samples: samples.tsv\ntubes: tubes.tsv\nfcs_dir: fcs\n")
    listed = []
    scan = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or scan(path))
    plan = load_plan("config.yaml")

    assert len(plan.samples) == 5000
    assert listed.count("fcs") == 1
    assert all(plan.controls[name] == (names[n - n % 20],) for n, name in enumerate(names) if n % 20)
