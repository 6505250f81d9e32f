"""The configuration: defaults, and what is reported when it is wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from cd40l_flow.assay.limits import plain_limits
from cd40l_flow.base.schema import load_schema
from cd40l_flow.cohort.config import Config, config_schema, draft_config, load_config

ROOT = Path(__file__).resolve().parents[3]
SCHEMAS = [f"{name}.schema.yaml" for name in ("config", "samples", "tubes", "overrides")]


@pytest.fixture(autouse=True)
def working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in an empty working directory that has a folder of FCS files."""
    (tmp_path / "fcs").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(text: str) -> tuple[Config | None, list[str]]:
    """Return the configuration and its problems as ``line|key|message remedy``."""
    Path("config.yaml").write_text("samples: s.tsv\ntubes: t.tsv\nfcs_dir: fcs\n" + text, encoding="utf-8")
    config, problems = load_config("config.yaml")
    assert {problem.severity for problem in problems} <= {"fatal"}
    assert {problem.file for problem in problems} <= {"config.yaml"}
    return config, [f"{p.line}|{p.column}|{p.message} {p.remedy}" for p in problems]


def leaves(schema: dict[str, Any], prefix: str = "") -> dict[str, dict[str, Any]]:
    """Return every key of a schema that holds no further keys, by its path."""
    found = {}
    for key, part in schema["properties"].items():
        if "properties" in part:
            found.update(leaves(part, f"{prefix}{key}."))
        else:
            found[prefix + key] = part
    return found


def test_three_keys_suffice() -> None:
    """Everything else has a default, down to each limit."""
    config, problems = read("")

    assert problems == []
    assert config is not None
    assert config.panels == {"default": {}}
    assert config.limits.odds.call_odds == 100
    assert config.limits.guards.anticoagulants == ("heparin", "Na-heparin", "sodium heparin")
    assert {f"limits.{g}.{k}" for g, part in plain_limits(config.limits).items() for k in part} == {
        key for key in leaves(config_schema()) if key.startswith("limits.")
    }


def test_one_changed_limit_leaves_the_others() -> None:
    """A group that is named in part keeps the defaults of the rest."""
    config, _ = read("limits: {odds: {call_odds: 1000}}\n")

    assert config is not None
    assert config.limits.odds.call_odds == 1000
    assert config.limits.calls.infant_age_years == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tube: x\n", "4|tube|is not a known key. Did you mean 'tubes'?"),
        (
            "limits:\n  odds:\n    call_ods: 1\n",
            "6|limits.odds.call_ods|is not a known key. Did you mean 'call_odds'?",
        ),
        ("limits:\n  calls: {bins: 64}\n", "5|limits.calls.bins|is not a known key. It belongs to limits.mixture."),
        (
            "limits: {odds: {level_sd: 3}}\n",
            "4|limits.odds.level_sd|found 3, expected a number above 0 and up to 2. "
            "Write such a value, or leave it out for 0.24.",
        ),
        (
            "limits: {mixture: {lob_z: .nan}}\n",
            "4|limits.mixture.lob_z|found nan, expected a finite number. Write a number.",
        ),
        (
            "require_function: 'no'\n",
            '4|require_function|found "no", expected true or false. Write such a value, or leave it out for true.',
        ),
        ("spillover: None\n", "4|spillover|found 'None'. Write none, in small letters."),
        (
            "spillover: m.csv\n",
            "4|spillover|there is no file 'm.csv'. Write file, none or the path of a CSV file, relative to the "
            "working directory.",
        ),
        (
            "panels: {x: {CD3: APC-A}}\n",
            '4|panels.x.CD3|found "APC-A", expected a detector, as {detector: APC-A}. Write such a value.',
        ),
        ("panels: {x: {CD33: {detector: a}}}\n", "4|panels.x.CD33|is not a known key. Did you mean 'CD3'?"),
        (
            "panels: {x: {CD3: {detector: a}, CD8: {detector: a}}}\n",
            "4|panels.x.CD8|detector 'a' is also that of CD3. Give each marker its own detector.",
        ),
        ("tubes: u.tsv\n", "4|tubes|is given twice. Keep one of the two."),
        (
            "limits: {guards: {activated_min: 3000}}\n",
            "4|limits.guards.activated_min|3000 exceeds activated_mosaic, 2000. Exchange or correct them.",
        ),
        ("show_columns: [a, a]\n", '4|show_columns|found ["a", "a"], with an entry twice. Name each once.'),
        (
            "{\n",
            "5|None|is not YAML: expected ',' or '}', but got '<stream end>'. Check the indents, colons and quotes.",
        ),
    ],
)
def test_a_problem_is_reported_where_it_is(text: str, told: str) -> None:
    """Each problem comes with its line, its key, what was expected and a remedy, and the configuration is not used."""
    config, problems = read(text)

    assert config is None
    if "YAML" in told:
        assert len(problems) == 1
        assert "is not YAML" in problems[0]
    else:
        assert problems == [told]


def test_all_problems_at_once() -> None:
    """No problem hides another, and the rest can still be used to look at the sheets."""
    Path("config.yaml").write_text("samples: s.tsv\ntubes: 3\nfcs: x\nspillover: ''\npanels: {a b: {}}\n")
    config, problems = draft_config("config.yaml")

    assert config is None
    assert [problem.column for problem in problems] == ["fcs_dir", "tubes", "fcs", "spillover", "panels.a b"]


def test_a_missing_file_is_a_problem_not_a_crash() -> None:
    """A wrong path is reported like any other mistake; so are a folder, another encoding and an empty file."""
    Path("latin.yaml").write_bytes(b"samples: \xe4\n")
    Path("empty.yaml").write_text("")
    for name in ("absent.yaml", "fcs", "latin.yaml", "empty.yaml"):
        config, problems = load_config(name)
        assert config is None
        assert len(problems) == 1
        assert problems[0].file == name


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_strict_and_explained(name: str) -> None:
    """A schema is valid, refuses unknown keys at every depth and explains each; those not required have defaults."""
    schema = load_schema(name)
    Draft202012Validator.check_schema(schema)

    def walk(part: dict[str, Any], place: str) -> None:
        if part.get("type") == "object":
            assert part.get("additionalProperties") is False, place
        for key, child in part.get("properties", {}).items():
            assert len(child.get("description", "")) > 10, f"{place}.{key}"
            walk(child, f"{place}.{key}")
        for key, child in {**part.get("patternProperties", {}), **part.get("$defs", {})}.items():
            walk(child, f"{place}.{key}")

    walk(schema, name)
    for key, child in leaves(schema).items():
        # Whether somebody is notified, and in which way, is a block of keys that is there or not.
        inside = key.startswith(("notify.mail.", "notify.webhook."))
        assert "default" in child or key in schema["required"] or inside, key


def test_readme_explains_every_key_column_and_limit() -> None:
    """The README of config/ names every key, column and limit, the limits with their defaults and sources."""
    text = (ROOT / "config" / "README.md").read_text(encoding="utf-8")
    for name in ("samples", "tubes", "overrides", "config"):
        for key in load_schema(f"{name}.schema.yaml")["properties"]:
            assert f"`{key}`" in text, key
    for key, schema in leaves(config_schema()).items():
        if key.startswith("limits."):
            default = schema["default"]
            words = "null" if default is None else ", ".join(default) if isinstance(default, list) else str(default)
            rows = re.findall(rf"^\| `{key.split('.')[-1]}` \| \[?{re.escape(words)}\]? \| (.*)$", text, re.MULTILINE)
            assert len(rows) == 1, key
            unit, _, source = (part.strip() for part in rows[0].strip("| ").split("|"))
            description = " ".join(schema["description"].split())
            assert description.endswith(f"Unit: {unit}. Source: {source}."), key


def test_example_configuration_lists_every_key_with_its_default() -> None:
    """config.yaml names every key; its comments list every limit with the default of the schema."""
    text = (ROOT / "config" / "config.yaml").read_text(encoding="utf-8")
    schema = config_schema()
    data = yaml.safe_load(text)
    assert list(data) != []
    assert set(data) == set(schema["properties"])
    for key in ("spillover", "panels", "reference", "require_function", "show_columns", "reviews", "limits"):
        assert data[key] == schema["properties"][key]["default"], key
    limits = yaml.safe_load("\n".join(line[1:] for line in text.partition("limits: {}\n")[2].splitlines()))
    assert limits == {
        group: {key: child["default"] for key, child in part["properties"].items()}
        for group, part in schema["properties"]["limits"]["properties"].items()
    }
