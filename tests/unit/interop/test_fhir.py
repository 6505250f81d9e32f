"""What laboratory systems are handed: a FHIR bundle that is valid, says no more than it may, and misleads nobody."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cd40l_flow.interop.fhir import fhir_bundle, write_failed_fhir, write_fhir
from cd40l_flow.result.codes import WORDS
from cd40l_flow.result.first_schema import from_second
from cd40l_flow.result.record import SCHEMA_VERSION
from cd40l_flow.result.reviews.files import Reviews
from cd40l_flow.result.reviews.signable import signable
from cd40l_flow.result.reviews.state import review_state
from cd40l_flow.result.reviews.taken import taken_reviews
from cd40l_flow.result.types.result import Result
from helpers.results import report_samples as made
from helpers.results.records import as_result
from helpers.results.review_files import DIGEST, PEOPLE, make_review, override, repeat, write_review

PRESENT = "LA9633-4"
CHECK = """
import json, sys
from fhir.resources.R4B.bundle import Bundle
for path in sys.argv[1:]:
    bundle = Bundle.model_validate(json.load(open(path, encoding="utf-8")))
    print(bundle.entry[0].resource.status)
"""


def result(call: str, **changes: Any) -> Result:
    """Return a result of a call with the codes that go with it."""
    plain = made.make_result(made.SCENARIOS[call]) | changes
    sub = {"FUNCTIONAL_DEFECT": ("NORMAL", "ABSENT")}.get(call, (call, call))
    codes = {"panel": plain["codes"]["panel"]}
    for reagent, its in zip(("CD154", "CD40-Ig"), sub, strict=True):
        value, words, abnormal, code = WORDS[its]
        told = {"value": value, "words": words, "abnormal": abnormal, "interpretation": code, "reference": "present"}
        codes[reagent] = plain["codes"][reagent] | told
    return as_result(plain | {"codes": codes})


def control() -> Result:
    return as_result(made.make_result(made.CONTROL))


def resources(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    found = [entry["resource"] for entry in bundle["entry"]]
    return [one for one in found if one["resourceType"] == kind]


def presence(bundle: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the observations of the two LOINC terms."""
    return [one for one in resources(bundle, "Observation") if one["code"]["coding"][0]["system"] == "http://loinc.org"]


def signed(call: str, folder: Path, *reviews: dict[str, Any]) -> dict[str, Any]:
    """Return the bundle of a result with these reviews."""
    one = result(call)
    paths = [write_review(folder, f"{number}.json", review) for number, review in enumerate(reviews)]
    state = review_state(signable(one, DIGEST), taken_reviews(paths, None, PEOPLE))
    return fhir_bundle(one, DIGEST, [control()], state, PEOPLE)


def numbers(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every quantity of a bundle."""
    if isinstance(value, dict):
        if "unit" in value:
            yield value
        for part in value.values():
            yield from numbers(part)
    elif isinstance(value, list):
        for part in value:
            yield from numbers(part)


@pytest.mark.parametrize("call", made.SCENARIOS)
def test_only_a_normal_result_is_the_one_word_present(call: str) -> None:
    """A carrier or a reduced level filed as "present" would be filed as healthy."""
    bundle = fhir_bundle(result(call), DIGEST, [control()])

    for one in presence(bundle):
        codes = {(code["system"], code["code"]) for code in one["valueCodeableConcept"].get("coding", [])}
        flag = one["interpretation"][0]["coding"][0]["code"]
        assert (("http://loinc.org", PRESENT) in codes) == (flag == "N")
        assert one["referenceRange"] == [{"text": "present"}]
        assert one["valueCodeableConcept"]["text"] != "present"
    (report,) = resources(bundle, "DiagnosticReport")
    assert report["conclusionCode"][0]["coding"][0]["code"] == call
    expected = {"NORMAL": "N", "INDETERMINATE": "IND"}.get(call, "A")
    assert resources(bundle, "Observation")[0]["interpretation"][0]["coding"][0]["code"] == expected


def test_quantities_have_unit_interval_limit_and_flag() -> None:
    bundle = fhir_bundle(result("REDUCED"), DIGEST, [control()])
    found = {one["code"]["coding"][0]["code"]: one for one in resources(bundle, "Observation")}
    percent = found["CD154.percent_positive"]

    assert percent["valueQuantity"]["code"] == "%" and 0 <= percent["valueQuantity"]["value"] <= 100
    assert [part["code"]["coding"][0]["code"] for part in percent["component"]] == ["low-95", "high-95"]
    assert "control of the day" in percent["referenceRange"][0]["text"]
    assert all(one["system"] == "http://unitsofmeasure.org" and one["code"] for one in numbers(bundle))
    assert {"cd69_percent", "activated_events", "CD154.mfi_ratio", "CD40-Ig.percent_positive"} <= set(found)
    assert all(one["method"]["text"] and one["device"] and one["specimen"] for one in found.values())


def test_a_fraction_is_reported_in_percent_and_flagged_beyond_the_limit_of_detection() -> None:
    plain = made.make_result(made.SCENARIOS["MOSAIC"])
    plain["reagents"]["CD154"] |= {"mutant_fraction": 0.45, "lod": 0.08}
    bundle = fhir_bundle(as_result(plain), DIGEST)
    (one,) = [
        one for one in resources(bundle, "Observation") if one["code"]["coding"][0]["code"] == "CD154.mutant_fraction"
    ]

    assert (one["valueQuantity"]["value"], one["valueQuantity"]["unit"]) == (45.0, "%")
    assert one["referenceRange"][0]["high"]["value"] == 8.0
    assert one["interpretation"][0]["coding"][0]["code"] == "H"


def test_the_status_is_that_of_the_reviews(tmp_path: Path) -> None:
    def told(name: str, *reviews: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        bundle = signed("NORMAL", tmp_path / name, *reviews)
        (report,) = resources(bundle, "DiagnosticReport")
        assert {one["status"] for one in resources(bundle, "Observation")} == {report["status"]}
        return report["status"], report

    normal = {"automatic_call": "NORMAL"}
    assert told("none")[0] == "preliminary"
    status, report = told("accepted", make_review(**normal))
    assert (status, report["issued"]) == ("final", "2026-01-05T10:00:00Z")
    assert report["resultsInterpreter"] == [{"display": "A. Smith, immunologist"}]
    assert told("pending", override("MOSAIC", **normal))[0] == "preliminary"
    assert told("stale", make_review(**normal, result_digest="b" * 64))[0] == "preliminary"


def test_an_override_stands_in_place_of_the_automatic_call(tmp_path: Path) -> None:
    reviews = [override("MOSAIC", automatic_call="NORMAL", reviewer=name) for name in ("A. Smith", "Berta Kern")]
    bundle = signed("NORMAL", tmp_path, *reviews)
    (report,) = resources(bundle, "DiagnosticReport")

    assert (report["status"], report["conclusionCode"][0]["coding"][0]["code"]) == ("amended", "MOSAIC")
    assert PRESENT not in json.dumps(bundle)
    assert all("valueCodeableConcept" not in one and one["dataAbsentReason"] for one in presence(bundle))
    assert "The automatic call was: Normal pattern." in json.dumps(bundle, ensure_ascii=False)


def test_a_result_to_be_repeated_carries_no_value(tmp_path: Path) -> None:
    bundle = signed("NORMAL", tmp_path, repeat(automatic_call="NORMAL"))

    assert resources(bundle, "DiagnosticReport")[0]["status"] == "cancelled"
    assert not any(key.startswith("value") for one in resources(bundle, "Observation") for key in one)
    assert list(numbers(bundle)) == []


def test_nobody_is_named_but_by_the_sample_and_what_the_sheet_gave(tmp_path: Path) -> None:
    plain = made.make_result(made.SCENARIOS["NORMAL"])
    plain["metadata"]["show"] = {"Accession": "A-77"}
    plain["family"] = "FAMILY-9"
    text = json.dumps(fhir_bundle(as_result(plain), DIGEST, [control()]), ensure_ascii=False)

    assert "A-77" in text and '"P01"' in text
    assert [word for word in ("FAMILY-9", "Patient", ".fcs", "C01", '"subject"') if word in text] == []


def test_every_reference_of_a_bundle_leads_to_a_part_of_it() -> None:
    bundle = fhir_bundle(result("MOSAIC"), DIGEST)
    places = [entry["fullUrl"] for entry in bundle["entry"]]

    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            if isinstance(value.get("reference"), str):
                yield value["reference"]
            for part in value.values():
                yield from references(part)
        elif isinstance(value, list):
            for part in value:
                yield from references(part)

    assert len(places) == len(set(places))
    assert set(references(bundle["entry"])) <= set(places)


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_codes_of_earlier_results_get_their_flags_from_their_words(version: str) -> None:
    """A carrier's code was "present" then, with words beside it that told the rest."""
    plain = made.make_result(made.SCENARIOS["MOSAIC"]) | {"schema_version": version}
    old = {"system": "http://loinc.org", "code": "98240-5", "name": "n", "value": "present"}
    plain["codes"] = {
        "panel": plain["codes"]["panel"],
        "CD154": old | {"words": "present on one of two populations"},
        "CD40-Ig": old | {"words": "present, like the control's"},
    }
    codes = as_result(from_second(plain, SCHEMA_VERSION)).codes

    assert (codes.cd154.value, codes.cd154.interpretation) == ("present on one of two populations", "A")
    assert (codes.cd40_ig.value, codes.cd40_ig.abnormal, codes.cd40_ig.reference) == ("present", False, "present")


def test_equal_results_give_equal_bytes(tmp_path: Path) -> None:
    path, _ = made.write_sample(tmp_path / "P01", made.SCENARIOS["MOSAIC"])
    beside, _ = made.write_sample(tmp_path / "C01", made.CONTROL)
    for name in ("one.json", "two.json"):
        write_fhir(tmp_path / name, path, [beside], Reviews())

    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()


def test_bundles_are_valid_fhir(tmp_path: Path, require_peer: Callable[[str], str]) -> None:
    """fhir.resources takes every one of them: each call, each state of review, and a report that failed."""
    python = require_peer("fhir.resources")
    bundles = {call: fhir_bundle(result(call), DIGEST, [control()]) for call in made.SCENARIOS}
    bundles["NOTHING"] = fhir_bundle(as_result(made.make_result(made.NOTHING)), "")
    bundles["control"] = fhir_bundle(control(), DIGEST)
    bundles["accepted"] = signed("NORMAL", tmp_path / "1", make_review(automatic_call="NORMAL"))
    bundles["repeat"] = signed("NORMAL", tmp_path / "2", repeat(automatic_call="NORMAL"))
    twice = [override("MOSAIC", automatic_call="NORMAL", reviewer=name) for name in ("A. Smith", "Berta Kern")]
    bundles["overridden"] = signed("NORMAL", tmp_path / "3", *twice)
    paths = []
    for name, bundle in bundles.items():
        paths.append(tmp_path / f"{name}.json")
        paths[-1].write_text(json.dumps(bundle), encoding="utf-8")
    paths.append(tmp_path / "failed.json")
    write_failed_fhir(paths[-1], "P01", "the step was killed.")
    process = subprocess.run([python, "-c", CHECK, *map(str, paths)], capture_output=True, text=True, check=False)

    assert process.returncode == 0, process.stderr
    assert process.stdout.split()[-4:] == ["final", "cancelled", "amended", "cancelled"]
