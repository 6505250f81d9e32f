"""The laboratory's own limits: what counts, what they are, and what uses them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from jsonschema import Draft202012Validator

from cd40l_flow.assay.limits import Limits
from cd40l_flow.base.errors import Cd40lFlowError, InputsError
from cd40l_flow.base.plain_json import digest_of
from cd40l_flow.base.schema import load_schema
from cd40l_flow.cli.main import main
from cd40l_flow.cohort.config import parse_config
from cd40l_flow.cohort.laboratory import laboratory
from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.cohort.reference import read_reference
from cd40l_flow.cohort.settings import Settings
from cd40l_flow.decision.laboratory import healthy_sd, level_sd, with_laboratory
from cd40l_flow.result.reference import collect, summary_lines, write_reference
from cd40l_flow.result.reference_places import find_results
from helpers.by_hand.cases import limits
from helpers.results.controls import control_result, full_control, many_controls, whole_result
from helpers.results.records import write_record
from helpers.results.references import as_reference


def collected(results: list[dict[str, Any]]) -> dict[str, Any]:
    found = collect([(f"{number}.json", whole_result(result)) for number, result in enumerate(results)], Limits())
    plain: dict[str, Any] = msgspec.to_builtins(found)
    return plain


def test_it_fits_its_schema_and_its_digest() -> None:
    content = collected(many_controls(25))
    assert list(Draft202012Validator(load_schema("reference.schema.json")).iter_errors(content)) == []
    assert content["digest"] == digest_of(content)
    assert json.loads(json.dumps(content)) == content


def test_the_order_of_the_results_does_not_matter() -> None:
    results = many_controls(8)
    assert collected(results) == collected(results[::-1])


def test_limits_are_mean_and_sd_of_the_controls() -> None:
    results = many_controls(25)
    spread = collected(results)["limits"]["CD154"]
    percents = [result["reagents"]["CD154"]["percent_positive"] for result in results]
    assert spread["percent_positive"]["mean"] == pytest.approx(np.mean(percents))
    assert spread["percent_positive"]["sd"] == pytest.approx(np.std(percents, ddof=1))
    logs = np.log([result["reagents"]["CD154"]["mfi_positive"] - 200 for result in results])
    assert spread["mfi_above_background"] == {
        "count": 25,
        "mean": pytest.approx(logs.mean()),
        "sd": pytest.approx(logs.std(ddof=1)),
        "log": True,
    }


def test_limits_of_detection_follow_from_the_spread_of_the_healthy() -> None:
    """LoB = 2.33 s, LoD = LoB + 1.645 s; equal errors make the net variance the plain one less theirs."""
    results = many_controls(40)
    found = collected(results)["healthy_negative"]["CD154"]
    values = [result["reagents"]["CD154"]["negative_fraction"] for result in results]
    error = 2 * 0.0098 / (2 * 1.959963984540054)
    net = np.var(values, ddof=1) - error**2
    assert found["sd_between"] == pytest.approx(math.sqrt(net), rel=1e-6)
    s = math.sqrt(2 * net + 2 * error**2) / (1 - np.mean(values))
    assert found["lob"] == pytest.approx(2.33 * s, rel=1e-6)
    assert found["lod"] == pytest.approx((2.33 + 1.645) * s, rel=1e-6)


def test_failed_controls_are_left_out_and_counted() -> None:
    failed = control_result("C01", "R90", lent={"failures": ["Control C01: too dim."], "activation_percent": {}})
    odd = control_result("C02", "R91", call="MOSAIC", negative=0.4)
    beside_a_failed_one = control_result("C03", "R92", call="INDETERMINATE")
    patient = control_result("P01", "R93", role="test", lent=None)
    content = collected([*many_controls(5), failed, odd, beside_a_failed_one, patient])
    assert content["collected"] == {"results": 9, "controls": 8, "used": 6, "failed": 2, "few": True}
    assert [(one["sample"], one["why"]) for one in content["excluded"]] == [
        ("C01", "Control C01: too dim."),
        ("C02", "It is called MOSAIC when compared with the run's other controls."),
    ]
    assert "P01" not in json.dumps(content)
    lines = list(summary_lines(as_reference(content), 20))
    assert "2 failed" in lines[0] and "fewer than 20" in lines[1]
    assert "fewer" not in "".join(summary_lines(as_reference(collected(many_controls(20))), 20))


def test_the_same_data_twice_are_refused_whatever_their_names() -> None:
    first = control_result("C01", "R1")
    again = {**control_result("C09", "R7"), "tubes": first["tubes"]}
    with pytest.raises(Cd40lFlowError, match=r"1\.json \(C09 of run R7\) holds the data of 0\.json \(C01 of run R1\)"):
        collected([first, again])
    # The same names with other data are two controls: every run may have its C01.
    assert collected([first, control_result("C01", "R2")])["collected"]["used"] == 2


def test_without_a_healthy_control_there_is_nothing() -> None:
    with pytest.raises(Cd40lFlowError, match="no healthy control"):
        collected([control_result(role="test")])


def test_only_allowed_words_enter() -> None:
    named = control_result()
    named["tubes"][0] |= {"panel": "Jane Roe", "time_problem": "2026-05-14"}
    named |= {"statement": ["Jane Roe"], "metadata": {"show": {"operator": "Jane Roe", "date": "2026-05-14"}}}
    text = json.dumps(collected([named, control_result("C02", "R2")]))
    assert "Jane" not in text and "2026-05-14" not in text and '"2026-05"' in text


def test_ratios_of_two_healthy_donors_of_a_run() -> None:
    pair = [control_result("C01", "R1", mfi=8000.0), control_result("C02", "R1", mfi=4000.0, negative=0.11)]
    found = collected(pair)["mfi_ratio"]["CD154"]
    sd = math.log(2) / math.sqrt(2)
    assert found["log_sd"] == pytest.approx(sd)
    assert found["high"] == pytest.approx(math.exp(1.959964 * math.sqrt(2) * sd), rel=1e-5)
    assert found["low"] == pytest.approx(1 / found["high"])
    assert collected(many_controls(5))["mfi_ratio"] == {}


@pytest.mark.parametrize(
    ("controls", "between", "used"),
    [(20, 0.035, 0.035), (20, 0.015, 0.015), (20, 0.001, 0.01), (19, 0.015, 0.04), (19, 0.055, 0.055)],
)
def test_few_controls_never_make_the_healthy_more_alike(controls: int, between: float, used: float) -> None:
    """20 controls are believed down to 0.01; fewer may only widen the default of 0.04."""
    content = collected(many_controls(20))
    content["collected"]["used"] = controls
    content["healthy_negative"]["CD154"]["sd_between"] = between
    own = laboratory(as_reference(content))
    assert healthy_sd(own, "CD154", limits()) == used
    assert with_laboratory(limits(), own, "CD154").mixture.healthy_negative_sd == used
    assert healthy_sd(own, "CD154-2", limits()) == 0.04
    assert with_laboratory(limits(), None, "CD154") == limits()


@pytest.mark.parametrize(("runs", "sd", "used"), [(20, 0.15, 0.15), (20, 0.02, 0.1), (19, 0.15, 0.24), (19, 0.3, 0.3)])
def test_the_level_of_healthy_donors_is_the_laboratory_s_own(runs: int, sd: float, used: float) -> None:
    """20 runs of several controls are believed down to 0.1; fewer may only widen the default of 0.24."""
    content = collected(many_controls(20))
    content["mfi_ratio"]["CD154"] = {"runs": runs, "log_sd": sd, "low": 0.5, "high": 2.0}
    own = laboratory(as_reference(content))
    assert level_sd(own, "CD154", limits()) == used
    assert with_laboratory(limits(), own, "CD154").odds.level_sd == used
    assert level_sd(own, "CD40-Ig", limits()) == level_sd(None, "CD154", limits()) == 0.24


# The file


def read(path: Path) -> str:
    config, _ = parse_config({"samples": "s", "tubes": "t", "fcs_dir": ".", "reference": str(path)}, "config.yaml")
    assert config is not None
    content, problems = read_reference(config)
    assert (content is None) == bool(problems)
    return str(problems[0]) if problems else ""


def test_what_is_wrong_with_a_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "reference.json"
    assert "is not there" in read(path)
    path.write_text("{", encoding="utf-8")
    assert "is not JSON" in read(path)
    path.write_text("[]", encoding="utf-8")
    assert "holds no reference" in read(path)
    content = collected(many_controls(3))
    write_reference(as_reference(content), path)
    assert read(path) == ""
    edited = json.loads(path.read_text(encoding="utf-8"))
    edited["healthy_negative"]["CD154"]["sd_between"] = 0.001
    path.write_text(json.dumps(edited), encoding="utf-8")
    assert "was changed after it was made" in read(path)
    del edited["limits"]
    path.write_text(json.dumps(edited), encoding="utf-8")
    assert "is required and missing" in read(path)


def test_the_command_collects_result_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, result in enumerate(many_controls(4)):
        folder = tmp_path / f"month{number % 2}" / "results" / "samples" / f"C{number}"
        write_record(full_control(result) | {"sample": folder.name}, folder / "result.json")
    out = tmp_path / "config" / "reference.json"
    places = [str(tmp_path / "month0" / "results"), str(tmp_path / "month1" / "results")]
    assert main(["reference", *places, "--out", str(out)]) == 0
    assert "4 healthy controls of 4" in capsys.readouterr().err
    assert read(out) == ""
    assert str(tmp_path) not in out.read_text(encoding="utf-8")
    assert main(["reference", places[0], places[0], "--out", str(out)]) == 2
    assert "must not count twice" in capsys.readouterr().err
    with pytest.raises(Cd40lFlowError, match=r"there is no result\.json"):
        find_results([tmp_path / "config"])


def test_a_plan_hands_the_limits_on_and_refuses_a_broken_file(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root / "test_data")
    config = Path("config/config.yaml").read_text(encoding="utf-8")
    file, written = tmp_path / "reference.json", tmp_path / "config.yaml"
    written.write_text(f"{config}\nreference: {file}\n", encoding="utf-8")
    with pytest.raises(InputsError, match="reference"):
        load_plan(written)
    content = collected(many_controls(3))
    write_reference(as_reference(content), file)
    settings = load_plan(written).job("P01").settings
    assert settings.reference is not None
    assert settings.reference.digest == content["digest"]
    assert Settings.read(json.loads(json.dumps(settings.plain()))) == settings
    assert load_plan("config/config.yaml").job("P01").settings.reference is None
