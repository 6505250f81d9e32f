"""One sample for laboratory systems: a FHIR R4 bundle of a DiagnosticReport, its observations, specimen and devices.

Plain JSON, equal inputs give equal bytes. It names nobody but the sample, what the configuration shows of the sheet,
and who signed; and no time but the month of the recordings and those of the signatures.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cd40l_flow import ENGINE_VERSION, __version__
from cd40l_flow.assay.effects import HEALTHY, INDETERMINATE, calls_of
from cd40l_flow.assay.lookup import assay_named, current_assay, using
from cd40l_flow.assay.texts import load_texts, reason_texts
from cd40l_flow.base.disk import write_atomically
from cd40l_flow.base.errors import RecordError
from cd40l_flow.cohort.reviewers import People
from cd40l_flow.interop.fhir_values import LOCAL, Json, call_value, coding, interpretation, presence_value, quantities
from cd40l_flow.result.record import read_record
from cd40l_flow.result.reviews.files import Reviews
from cd40l_flow.result.reviews.signable import signable
from cd40l_flow.result.reviews.state import UNSIGNED, ReviewState, digest_of, states_of
from cd40l_flow.result.types.result import Result

# The reviews' state -> that of the report. A result that is to be repeated carries no value.
STATUS: Mapping[str, str] = {
    "unsigned": "preliminary",
    "pending": "preliminary",
    "stale": "preliminary",
    "accepted": "final",
    "overridden": "amended",
    "repeat": "cancelled",
}
_VOID = coding("http://terminology.hl7.org/CodeSystem/data-absent-reason", "error", "Error")
_UNKNOWN = coding("http://terminology.hl7.org/CodeSystem/data-absent-reason", "unknown", "Unknown")
_LABORATORY = coding("http://terminology.hl7.org/CodeSystem/observation-category", "laboratory", "Laboratory")
_SERVICE = coding("http://terminology.hl7.org/CodeSystem/v2-0074", "IMM", "Immunology")


def fhir_bundle(
    result: Result,
    digest: str,
    controls: Sequence[Result] = (),
    state: ReviewState = UNSIGNED,
    people: People | None = None,
) -> Json:
    """Return the bundle of one sample; ``digest`` is the SHA-256 of its ``result.json``, ``state`` that of its reviews.

    ``controls`` are the results it was compared with, ``people`` the reviewers of the configuration.
    """
    with using(assay_named(result.assay)):
        return _bundle(result, digest, controls, state, people)


def _bundle(result: Result, digest: str, controls: Sequence[Result], state: ReviewState, people: People | None) -> Json:
    status = STATUS[state.state]
    place = _Places(digest or f"{result.run}/{result.sample}")
    call = state.reviewed_call or result.call
    observations = [
        _call_observation(result, call, state),
        *_presence_observations(result, call, state),
        *([] if status == "cancelled" else quantities(result, controls)),
    ]
    shared = _shared(result, status, place)
    named = [(f"observation/{number}", {**shared, **one}) for number, one in enumerate(observations, 1)]
    report = _report(result, call, state, people or People(), [place.of(name) for name, _ in named], place)
    specimen, devices = _specimen(result), _devices(result)
    resources = [("report", report), *named, ("specimen", specimen), *devices]
    return {
        "resourceType": "Bundle",
        "identifier": {"system": f"{LOCAL}:result", "value": digest or "none"},
        "type": "collection",
        "entry": [{"fullUrl": place.of(name), "resource": resource} for name, resource in resources],
    }


def write_fhir(out: str | Path, result_path: Path, control_paths: Sequence[Path], reviews: Reviews) -> None:
    """Write the bundle of one sample as its files and reviews have it; controls that cannot be read are left out.

    Raises RecordError for a result that was changed or is not of its sample.
    """
    result, controls = read_record(result_path), []
    signed = {result.sample: signable(result, digest_of(result_path))}
    for path in control_paths:
        try:
            controls.append(read_record(path))
        except RecordError:
            continue  # the report, made of the same files, states why
        signed[controls[-1].sample] = signable(controls[-1], digest_of(path))
    state = states_of(signed, reviews)[result.sample]
    bundle = fhir_bundle(result, signed[result.sample].digest, controls, state, reviews.people)
    write_atomically(out, _text(bundle))


def write_failed_fhir(path: str | Path, sample: str, why: str) -> None:
    """Write what replaces a bundle that could not be made: a cancelled report without any value."""
    place = _Places(f"failed/{sample}")
    report = {
        "resourceType": "DiagnosticReport",
        "identifier": [{"system": f"{LOCAL}:sample", "value": sample}],
        "status": "cancelled",
        "code": _panel_code(),
        "conclusion": f"The report of sample {sample} could not be made: {why}",
    }
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"fullUrl": place.of("report"), "resource": report}],
    }
    write_atomically(path, _text(bundle))


class _Places:
    """Where the parts of a bundle are found: names that depend on nothing but the result."""

    def __init__(self, result: str) -> None:
        self._result = result

    def of(self, name: str) -> str:
        """Return the address of a part."""
        return f"urn:uuid:{uuid5(NAMESPACE_URL, f'{LOCAL}:{self._result}/{name}')}"

    def refer(self, name: str) -> Json:
        """Return a reference to a part."""
        return {"reference": self.of(name)}


def _text(bundle: Json) -> str:
    return json.dumps(bundle, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _panel_code(*, coded: bool = True) -> Json:
    """Return what was tested; an assay without a code of its own has the words alone."""
    from cd40l_flow.result.codes import PANEL, SYSTEM

    words = {"text": load_texts()["product"]}
    return {"coding": [coding(SYSTEM, *PANEL)], **words} if coded else words


def _shared(result: Result, status: str, place: _Places) -> Json:
    """Return what every observation of a sample has."""
    shared: Json = {
        "resourceType": "Observation",
        "status": status,
        "category": [{"coding": [_LABORATORY]}],
        "specimen": place.refer("specimen"),
        "device": place.refer("cytometer"),
        "method": {"text": load_texts()["fhir"]["method"].format(engine=ENGINE_VERSION)},
    }
    return shared | _effective(result)


def _effective(result: Result) -> Json:
    months = sorted({tube.month for tube in result.tubes if tube.month})
    return {"effectiveDateTime": months[0]} if months else {}


def _call_observation(result: Result, call: str, state: ReviewState) -> Json:
    """Return the call: the reviewed one where there is one, with the automatic one named too."""
    words = load_texts()["fhir"]
    found: Json = {"code": {"coding": [coding(LOCAL, "call", words["call"])], "text": words["call"]}}
    if state.state == "repeat":
        found["dataAbsentReason"] = {"coding": [_VOID], "text": words["repeat"]}
    else:
        found["valueCodeableConcept"] = call_value(call)
        found["interpretation"] = [interpretation("N" if call in HEALTHY else "IND" if call == INDETERMINATE else "A")]
    (healthy,) = HEALTHY & calls_of(result.assay)
    found["referenceRange"] = [{"text": load_texts()["calls"][healthy]["word"]}]
    notes = [load_texts()["sections"]["review"]["states"][state.state]["word"]]
    if call != result.call:
        notes.append(words["automatic"].format(call=load_texts()["calls"][result.call]["word"]))
    notes += [f"{reason_texts(code)['name']} ({code})" for code in result.reasons]
    return found | {"note": [{"text": text} for text in notes]}


def _presence_observations(result: Result, call: str, state: ReviewState) -> list[Json]:
    """Return the two terms of LOINC; without a value where the reviewers' call is another than the automatic one."""
    words = load_texts()["fhir"]
    found: list[Json] = []
    if result.codes is None:
        return found
    for coded in (result.codes.cd154, result.codes.cd40_ig):
        one: Json = {"code": {"coding": [coding(coded.system, coded.code, coded.name)], "text": coded.name}}
        if state.state == "repeat":
            one["dataAbsentReason"] = {"coding": [_VOID], "text": words["repeat"]}
        elif call != result.call:
            one["dataAbsentReason"] = {"coding": [_UNKNOWN], "text": words["overridden"]}
        else:
            one["valueCodeableConcept"] = presence_value(coded)
            one["interpretation"] = [interpretation(coded.interpretation)]
        one["referenceRange"] = [{"text": coded.reference}]
        found.append(one)
    return found


def _report(
    result: Result, call: str, state: ReviewState, people: People, observations: Sequence[str], place: _Places
) -> Json:
    texts = load_texts()
    words, status = texts["fhir"], STATUS[state.state]
    statement = list(result.statement) if call == result.call and status != "cancelled" else []
    title = texts["calls"][call]["title"] if status != "cancelled" else words["repeat"]
    sentences = [texts["sections"]["review"]["states"][state.state]["word"], title, *statement, texts["research_use"]]
    report: Json = {
        "resourceType": "DiagnosticReport",
        "identifier": [{"system": f"{LOCAL}:sample", "value": result.sample}],
        "status": status,
        "category": [{"coding": [_SERVICE]}],
        "code": _panel_code(coded=result.codes is not None),
        "specimen": [place.refer("specimen")],
        "result": [{"reference": one} for one in observations],
        "conclusion": " ".join(text if text.endswith(".") else f"{text}." for text in sentences),
    }
    if status != "cancelled":
        report["conclusionCode"] = [call_value(call)]
    signed = []
    for review in state.signatures:
        person = people.find(review.reviewer)
        signed.append({"display": f"{person.name}, {person.role}" if person is not None else review.reviewer})
    if signed:
        report["resultsInterpreter"] = signed
    if status in ("final", "amended"):
        report["issued"] = max(review.signed_at for review in state.signatures)
    return report | _effective(result)


def _specimen(result: Result) -> Json:
    words, meta = load_texts()["fhir"], result.metadata
    notes = [f"{words['run']}: {result.run}"]
    if meta.anticoagulant:
        notes.append(f"{words['anticoagulant']}: {meta.anticoagulant}")
    notes += [f"{name}: {value}" for name, value in meta.show.items() if value]
    return {
        "resourceType": "Specimen",
        "identifier": [{"system": f"{LOCAL}:sample", "value": result.sample}],
        "type": {"text": words["specimen"]},
        "note": [{"text": text} for text in notes],
    }


def _devices(result: Result) -> list[tuple[str, Json]]:
    """Return the cytometer, by the name that its files give it, and the analysis."""
    words = load_texts()["fhir"]
    names = sorted({tube.cytometer for tube in result.tubes if tube.cytometer}) or [words["cytometer"]]
    stains = []
    for tube in result.tubes:
        if tube.reagent in current_assay().targets and (tube.clone or tube.lot):
            stains.append(f"{tube.reagent}: {tube.clone} {tube.lot}".strip())
    cytometer: Json = {
        "resourceType": "Device",
        "deviceName": [{"name": ", ".join(names), "type": "user-friendly-name"}],
        "type": {"text": words["cytometer"]},
    }
    if stains:
        cytometer["note"] = [{"text": text} for text in dict.fromkeys(stains)]
    analysis: Json = {
        "resourceType": "Device",
        "deviceName": [{"name": "cd40l-flow", "type": "model-name"}],
        "type": {"text": words["software"]},
        "version": [{"value": __version__}, {"value": words["engine"].format(engine=ENGINE_VERSION)}],
    }
    return [("cytometer", cytometer), ("analysis", analysis)]
