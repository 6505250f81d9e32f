"""What a review needs of a result: its sample, its call, the gates to be judged, and a digest for each part."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from cd40l_flow.assay.lookup import assay_named
from cd40l_flow.base.plain_json import canonical
from cd40l_flow.result.types.gates import Gate
from cd40l_flow.result.types.result import Result

# (tube, stimulation, reagent, population); the first three are None for a gate that all tubes share.
GatePlace = tuple[str | None, str | None, str | None, str]


@dataclass(frozen=True)
class Signable:
    """One result as reviews see it; ``digest`` is the SHA-256 of its file, empty where it has none.

    ``shared`` are the populations whose gate is one for all tubes, ``gates`` every gate that has to be judged before a
    call that needs it is signed.
    """

    sample: str
    digest: str
    call: str
    role: str
    sex: str
    controls: tuple[str, ...] = ()
    assay: str = "cd40l"
    tubes: frozenset[tuple[str, str, str]] = frozenset()
    shared: frozenset[str] = frozenset()
    gates: tuple[GatePlace, ...] = ()


def signable(result: Result, digest: str) -> Signable:
    """Return what reviews need of a result."""
    targets = {f"{name}+" for name in assay_named(result.assay).targets}
    drawn = [gate for gate in result.gates if gate.population not in targets and _is_drawn(gate)]
    shared = dict.fromkeys(gate.population for gate in drawn if gate.tube is None)
    for_one = dict.fromkeys((gate.tube, gate.population) for gate in drawn if gate.population not in shared)
    places: list[GatePlace] = [(None, None, None, population) for population in shared]
    for tube, population in for_one:
        rows = [row for row in result.tubes if row.fcs == tube]
        places += [(row.fcs, row.stimulation, row.reagent, population) for row in rows]
    return Signable(
        sample=result.sample,
        digest=digest,
        call=result.call,
        role=result.role,
        sex=result.sex,
        controls=tuple(result.controls),
        assay=result.assay,
        tubes=frozenset((tube.fcs, tube.stimulation, tube.reagent) for tube in result.tubes),
        shared=frozenset(shared),
        gates=tuple(dict.fromkeys(places)),
    )


def _is_drawn(gate: Gate) -> bool:
    return gate.value is not None or gate.vertices is not None


def parts_of(result: Result) -> dict[str, str]:
    """Return a digest for each part of a result, by the names of the texts: which changed, not to what."""
    import msgspec

    plain: dict[str, Any] = msgspec.to_builtins(result)
    sheet = [plain[key] for key in ("run", "role", "sex", "age_band", "family", "metadata")]
    gates = [
        {key: gate.get(key) for key in ("gate", "tube", "value", "vertices", "override")} for gate in plain["gates"]
    ]
    rows = [[tube[key] for key in ("fcs", "stimulation", "reagent", "clone", "lot")] for tube in plain["tubes"]]
    parts = {
        "software": [plain["engine_version"], plain["schema_version"]],
        "files": plain["inputs"]["files"],
        "sheet": [sheet, rows],
        "controls": [plain["controls"], plain["inputs"]["controls"]],
        "limits": [plain["configuration"]["limits"], plain["configuration"]["require_function"]],
        "panels": [plain["configuration"]["panels"], plain["configuration"]["spillover"]],
        "reference": plain["reference"],
        "gates": gates,
        "measures": plain["reagents"] if result.assay == "cd40l" else [plain["memory"], plain["cd40"]],
        "call": [plain["call"], plain["reasons"], {name: sub["call"] for name, sub in plain["subcalls"].items()}],
    }
    return {name: hashlib.sha256(canonical(value).encode()).hexdigest()[:16] for name, value in parts.items()}
