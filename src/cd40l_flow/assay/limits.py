"""Every limit of a run, typed; its default, unit and source are defined here, and the JSON Schema is made from them."""

from collections.abc import Mapping
from functools import cache
from typing import Any, get_type_hints

from msgspec import Struct, json
from msgspec.structs import fields

from cd40l_flow.assay.b_cell_limits import AGE_ROW, AgeRows, BCellLimits, SerumIgLimits
from cd40l_flow.assay.call_limits import CallLimits, MixtureLimits, OddsLimits, ReferenceLimits
from cd40l_flow.assay.gating_limits import AcquisitionLimits, GatingLimits, ScaleLimits
from cd40l_flow.assay.guard_limits import GuardLimits
from cd40l_flow.base.errors import Cd40lFlowError

LimitValue = bool | int | float | str | list[str] | None
_TYPES: Mapping[Any, Mapping[str, Any]] = {
    int: {"type": "integer"},
    float: {"type": "number"},
    float | None: {"type": ["number", "null"]},
    bool: {"type": "boolean"},
    tuple[str, ...]: {
        "type": "array",
        "items": {"type": "string", "minLength": 1, "title": "the name of an anticoagulant"},
        "uniqueItems": True,
    },
    AgeRows: {
        "type": "array",
        "items": {"type": "string", "pattern": AGE_ROW, "title": 'an age in years and limits, as "2: 0.5-1.8"'},
        "uniqueItems": True,
    },
}
_BOUNDS = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum"}


class Limits(Struct, frozen=True):
    """Every cut-off, by stage. A limit whose source is "default, not validated" is a starting point that the laboratory
    must replace by its own validation.
    """

    scale: ScaleLimits = ScaleLimits()
    acquisition: AcquisitionLimits = AcquisitionLimits()
    gating: GatingLimits = GatingLimits()
    guards: GuardLimits = GuardLimits()
    calls: CallLimits = CallLimits()
    mixture: MixtureLimits = MixtureLimits()
    odds: OddsLimits = OddsLimits()
    reference: ReferenceLimits = ReferenceLimits()
    b_cells: BCellLimits = BCellLimits()
    serum_ig: SerumIgLimits = SerumIgLimits()


def limit_named(group: Struct, name: str) -> float:
    """Return the limit that a table of the assay names; raises Cd40lFlowError for one that the group does not have."""
    value = getattr(group, name, None)
    if isinstance(value, int | float):
        return float(value)
    raise Cd40lFlowError(
        f"The tables of the assay name the limit '{name}', but {type(group).__name__} has no such number. "
        f"Add it there, or name one of: {', '.join(group.__struct_fields__)}."
    )


def read_limits(plain: Mapping[str, Mapping[str, Any]]) -> Limits:
    """Return limits from their checked JSON values: group -> limit -> value; those left out are at their defaults."""
    found: dict[str, Any] = {}
    for name, group in _groups().items():
        values = plain.get(name, {})
        found[name] = group(**{key: tuple(v) if isinstance(v, list) else v for key, v in values.items()})
    return Limits(**found)


def plain_limits(limits: Limits) -> dict[str, dict[str, LimitValue]]:
    """Return limits as JSON values, as the configuration writes them: group -> limit -> value."""
    plain: dict[str, dict[str, LimitValue]] = json.decode(json.encode(limits))
    return plain


@cache
def limits_schema() -> dict[str, Any]:
    """Return the JSON Schema of the key ``limits`` of the configuration; the same object every time."""
    return _object(Limits, {name: _object(group, _of_limits(group)) for name, group in _groups().items()})


def _groups() -> dict[str, type[Struct]]:
    return {group.name: type(group.default) for group in fields(Limits)}


def _of_limits(group: type[Struct]) -> dict[str, Any]:
    defaults = json.decode(json.encode(group()))
    found = {}
    for name, annotated in get_type_hints(group, include_extras=True).items():
        kind, (meta,) = annotated.__origin__, annotated.__metadata__
        bounds = {_BOUNDS[bound]: value for bound, value in meta.extra.items()}
        found[name] = {"description": meta.description, **_TYPES[kind], **bounds, "default": defaults[name]}
    return found


def _object(of: type[Struct], properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "description": " ".join(str(of.__doc__).split()),
        "type": "object",
        "additionalProperties": False,
        "default": {},
        "properties": properties,
    }
