"""Results of schema 1.0, of version 3 of the analysis and before, of 1.1 to 1.3 as results of the present one.

What came since was not measured then: it is null, or empty where the schema has a list. Nothing is recalculated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cd40l_flow.base.plain_json import DIGEST
from cd40l_flow.result.types.measures import Measures

VERSION, SECOND = "1.0", ("1.1", "1.2", "1.3")
_SECOND_OPINION = ("gmm_negative_fraction", "gmm_components")
# Measures of a reagent that came since: goodness of fit, second opinion, odds, and what doubts of them rest on.
_MEASURES = (
    *("goodness", "misplaced", "model_error", "shape_distance", "overdispersion", "residual_kept"),
    *_SECOND_OPINION,
    *("normal_odds", "mosaic_odds", "reduced_odds", "absent_odds"),
    *("negatives_by_cd69", "negatives_by_cd69_error", "negatives_by_cd3", "negatives_by_cd3_error"),
)
# Before 1.4 there was one assay, and the sheet had no columns of others.
_ONE_ASSAY: Mapping[str, Any] = {"assay": "cd40l", "subject": "", "memory": None, "cd40": None}
_COLUMNS: Mapping[str, Any] = {
    **{"collected": "", "b_depletion": "unknown", "anti_cd40": "unknown", "genotype": ""},
    **dict.fromkeys(("igm_g_l", "igg_g_l", "iga_g_l", "ige_iu_ml", "b_per_ul", "expected_fraction")),
}


def is_first(result: Mapping[str, Any]) -> bool:
    """Return whether a result is of schema 1.0, which carried no digest."""
    return result.get("schema_version") == VERSION and DIGEST not in result


def from_first(result: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Return a result of schema 1.0 as one of the present schema, whose ``version`` it gets.

    Its digest is None, for nothing proves it. What is not built as a result is left as it is, for the schema to refuse.
    """
    known = frozenset(Measures.__struct_fields__)
    since: dict[str, Any] = {"densities": None, DIGEST: None, "replicates": [], "odds": _no_odds()}
    since["inputs"] = {"job": "", "files": {}, "controls": {}}
    changed = {**since, **_ONE_ASSAY, **result, "schema_version": version, "codes": _codes(result.get("codes"))}
    changed["metadata"] = _metadata(result.get("metadata"))
    if isinstance(reagents := result.get("reagents"), dict):
        changed["reagents"] = {name: _measures(one, known) for name, one in reagents.items()}
    if isinstance(reference := result.get("reference"), dict):
        changed["reference"] = _reference(reference)
    if isinstance(lent := result.get("lent"), dict):
        changed["lent"] = {"reagent_failures": {}, **lent, "reagents": _each(lent.get("reagents"), _lent)}
    return changed


def is_second(result: Mapping[str, Any]) -> bool:
    """Return whether a result is of schema 1.1 to 1.3, of versions 4 to 6 of the analysis."""
    return result.get("schema_version") in SECOND


def from_second(result: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Return a result of schema 1.1 to 1.3 as one of the present schema: without the second opinion it may lack."""
    changed = {**_ONE_ASSAY, **result, "schema_version": version, "codes": _codes(result.get("codes"))}
    changed["metadata"] = _metadata(result.get("metadata"))
    if isinstance(reagents := result.get("reagents"), dict):
        changed["reagents"] = _each(reagents, _without_opinion)
    if isinstance(reference := result.get("reference"), dict):
        changed["reference"] = _reference(reference)
    return changed


def _metadata(found: Any) -> Any:
    return {**_COLUMNS, **found} if isinstance(found, dict) else found


def _without_opinion(found: Any) -> Any:
    return {**dict.fromkeys(_SECOND_OPINION), **found} if isinstance(found, dict) else found


def _codes(found: Any) -> Any:
    """Return the coded results with what one word did not state and the accompanying words did."""
    from cd40l_flow.result.codes import REFERENCE, WORDS

    if not isinstance(found, dict):
        return found
    by_words = {words: (value, abnormal, code) for value, words, abnormal, code in WORDS.values()}
    changed = dict(found)
    for name, one in found.items():
        if isinstance(one, dict) and one.get("words") in by_words:
            value, abnormal, code = by_words[one["words"]]
            changed[name] = {
                **one,
                "value": value,
                "reference": REFERENCE,
                "abnormal": abnormal,
                "interpretation": code,
            }
    return changed


def _reference(found: Mapping[str, Any]) -> dict[str, Any]:
    return {"level_sd": {}, **found}


def _no_odds() -> dict[str, Any]:
    return {"joint": {}, "binding_ratio": None}


def _measures(found: Any, known: frozenset[str]) -> Any:
    """Return the measures of a reagent, without what only schema 1.0 had: the fit on a wider scale."""
    if not isinstance(found, dict):
        return found
    return {**dict.fromkeys(_MEASURES), "at_bound": [], **{name: one for name, one in found.items() if name in known}}


def _lent(found: Any) -> Any:
    """Return what a control provides for a reagent: terms of one control, of a law without bends, without a floor."""
    if not isinstance(found, dict):
        return found
    return {
        **{"count": 1, "floor": None},
        **found,
        "positive": _law(found.get("positive")),
        "prior": _prior(found.get("prior")),
    }


def _prior(found: Any) -> Any:
    if not isinstance(found, dict):
        return found
    return {"bend_covariance": None, **found, "centre": _law(found.get("centre"))}


def _law(found: Any) -> Any:
    return {"bends": [], **found} if isinstance(found, dict) else found


def _each(found: Any, change: Any) -> Any:
    return {name: change(one) for name, one in found.items()} if isinstance(found, dict) else found
