"""Methods in the order of MIFlowCyt, and how the configuration used differs from the defaults."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import TypedDict

from msgspec.structs import asdict

from cd40l_flow.assay.texts import load_texts
from cd40l_flow.base.schema import with_defaults
from cd40l_flow.cohort.config import config_schema
from cd40l_flow.result.types.result import Result


class ParameterRow(TypedDict):
    """One parameter of the configuration, its value and its default in words."""

    key: str
    value: str
    default: str
    changed: bool


class ConfigurationTable(TypedDict):
    """The configuration of a result: its SHA-256, all parameters, and those that differ from the defaults."""

    digest: str
    changed: list[ParameterRow]
    rows: list[ParameterRow]


class MethodSection(TypedDict):
    """One section of MIFlowCyt."""

    title: str
    text: str


def configuration_view(result: Result) -> ConfigurationTable:
    """Return digest, differences from the defaults and every cut-off of the configuration a result was made with."""
    used: dict[str, object] = asdict(result.configuration)
    defaults = with_defaults({}, config_schema())
    rows = [_row(key, value, _default(defaults, key)) for key, value in _flat(used)]
    canonical = json.dumps(used, sort_keys=True, separators=(",", ":"))
    return {
        "digest": hashlib.sha256(canonical.encode()).hexdigest(),
        "changed": [row for row in rows if row["changed"]],
        "rows": rows,
    }


def _flat(value: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, part in sorted(value.items()):
        if isinstance(part, Mapping) and part:
            yield from _flat(part, f"{prefix}{name}.")
        elif part != {}:
            yield prefix + name, part


def _default(defaults: Mapping[str, object], key: str) -> object:
    found: object = defaults
    for name in key.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _row(key: str, value: object, default: object) -> ParameterRow:
    return {"key": key, "value": _shown(value), "default": _shown(default), "changed": value != default}


def _shown(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return str(load_texts()["answers"][str(value).lower()])
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "–"
    return f"{value:g}" if isinstance(value, float) else str(value)


def method_sections(result: Result) -> list[MethodSection]:
    """Return the sections of MIFlowCyt that an analysis can fill, written from what was found and used."""
    words = load_texts()["sections"]["methods"]["miflowcyt"]
    facts = _facts(result)
    return [{"title": part["title"], "text": part["text"].format(**facts)} for part in words["parts"]]


def _facts(result: Result) -> dict[str, str]:
    texts = load_texts()
    words = texts["sections"]["methods"]["miflowcyt"]
    unknown = str(words["unknown"])
    metadata, limits = result.metadata, result.configuration.limits
    read = [tube for tube in result.tubes if tube.status == "ok"]

    def several(values: Iterator[str]) -> str:
        return ", ".join(sorted({value for value in values if value})) or unknown

    def hours(value: float | None) -> str:
        return unknown if value is None else f"{value:g} h"

    def limit(group: str, name: str) -> str:
        return _shown(limits.get(group, {}).get(name))

    reagents = "; ".join(
        words["reagent"].format(
            tube=f"{texts['tube_names'][tube.stimulation].lower()} {tube.reagent}",
            clone=tube.clone or unknown,
            lot=tube.lot or unknown,
        )
        for tube in result.tubes
    )
    spillovers = several(str(tube.spillover.source) if tube.spillover else str(words["compensated"]) for tube in read)
    by_hand = sum(bool(gate.override) for gate in result.gates)
    backgrounds = several(values.background.source if values.background else "" for values in result.reagents.values())
    return {
        "sample": result.sample,
        "run": result.run,
        "controls": ", ".join(result.controls) or str(texts["context"]["no_controls"]),
        "anticoagulant": metadata.anticoagulant or unknown,
        "collected": hours(metadata.collected_h),
        "stimulation": hours(metadata.stimulation_h),
        "tubes": str(len(result.tubes)),
        "read": str(len(read)),
        "reagents": reagents or unknown,
        "cytometers": several(str(tube.cytometer or "") for tube in read),
        "months": several(str(tube.month or "") for tube in read),
        "versions": several(str(tube.version or "") for tube in read),
        "spillovers": spillovers,
        "scales": several(str(scale.source) for scale in result.scales.values()),
        "gates": several(str(gate.method) for gate in result.gates),
        "by_hand": str(by_hand) if by_hand else str(words["none"]),
        "unstimulated_max": limit("gating", "cd69_unstimulated_max_percent"),
        "quantile": limit("mixture", "background_quantile"),
        "shift": limit("mixture", "shift_max"),
        "healthy_sd": limit("mixture", "healthy_negative_sd"),
        "backgrounds": backgrounds,
        **{name: str(words[name]) for name in ("assay_what", "assay_statistics") if name in words},
    }
