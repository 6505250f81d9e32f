"""The table of limits: one typed field each, from which schema, manual and example configuration are made."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import fields

from cd40l_flow.assay.gating_limits import GatingLimits
from cd40l_flow.assay.guard_limits import GuardLimits
from cd40l_flow.assay.limit_pages import example, manual
from cd40l_flow.assay.limits import Limits, limit_named, limits_schema, plain_limits, read_limits
from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.base.schema import faults
from cd40l_flow.cohort.settings import Panel, Settings


def test_every_default_is_allowed_by_its_own_schema() -> None:
    """Defaults, as the configuration writes them, pass their bounds, and each limit has a unit and a source."""
    assert not list(faults(plain_limits(Limits()), limits_schema()))
    for group in limits_schema()["properties"].values():
        for name, limit in group["properties"].items():
            assert " Unit: " in limit["description"], name
            assert limit["description"].partition(" Source: ")[2].endswith("."), name


@pytest.mark.parametrize("value", [-1, 1.5, True, "200", None])
def test_a_value_out_of_bounds_or_of_another_type_is_a_fault(value: object) -> None:
    found = list(faults({"guards": {"activated_min": value}}, limits_schema()))
    assert [place for place, _, _ in found] == [("guards", "activated_min")]


def test_limits_are_read_as_they_are_written() -> None:
    """Numbers stay as they are written, since results hold them: 100 does not become 100.0."""
    plain = {"guards": {"activated_min": 300, "anticoagulants": ["heparin"]}, "odds": {"call_odds": 250.5}}
    read = read_limits(plain)
    assert read.guards.anticoagulants == ("heparin",)
    assert read.gating == GatingLimits()
    written = plain_limits(read)
    assert read_limits(written) == read
    for group, values in plain.items():
        assert {name: written[group][name] for name in values} == values
    assert isinstance(written["odds"]["discordant_odds"], int)


def test_a_table_names_a_limit_by_its_field() -> None:
    """A name without a number behind it is an error that lists what there is."""
    assert limit_named(GuardLimits(separation_min=2), "separation_min") == 2.0
    assert limit_named(GatingLimits(cd4_gate=True), "cd4_gate") == 1.0
    for name in ("seperation_min", "anticoagulants"):
        with pytest.raises(Cd40lFlowError, match=f"'{name}'.*GuardLimits.*separation_min"):
            limit_named(GuardLimits(), name)


def test_settings_are_read_as_they_are_written() -> None:
    limits = Limits(gating=GatingLimits(min_events=50))
    panels: dict[str, Panel] = {"new": {"spillover": "none"}}
    settings = Settings(spillover="m.csv", panels=panels, limits=limits, show_columns=("batch",))
    assert Settings.read(settings.plain()) == settings
    assert settings.matrices() == ("m.csv",)
    assert settings.panel("other") == {}


def test_manual_and_example_configuration_hold_every_limit(root: Path) -> None:
    """`make schema` would change nothing: each limit stands in both, with the default and the words of the table."""
    config = root / "config"
    text = (config / "README.md").read_text(encoding="utf-8")
    assert manual(text) == text
    assert all(f"| `{name.name}` |" in text for group in fields(Limits) for name in fields(type(group.default)))
    text = (config / "config.yaml").read_text(encoding="utf-8")
    assert example(text) == text
