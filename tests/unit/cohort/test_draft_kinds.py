"""What a tube is, from its name and labels: nothing is said for certain that they do not say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from cd40l_flow.cohort.drafts.kinds import Kind, Scene, kind_of
from cd40l_flow.cohort.drafts.names import read_path
from cd40l_flow.cohort.drafts.words import table
from helpers.by_hand.drafts import drafted

WORDS = Path(__file__).parents[4] / "shared" / "cases" / "drafts" / "words.tsv"


def kind(name: str, labels: Mapping[str, str] | None = None, scene: Scene | None = None) -> Kind:
    """Return the kind of one tube, and the questions about it."""
    return kind_of(read_path(name), ["x"] * name.count("/"), labels or {}, scene or Scene())


def told() -> list[tuple[str, str]]:
    """Return words of five languages with what they mean."""
    if not WORDS.exists():
        return []
    lines = WORDS.read_text(encoding="utf-8").splitlines()
    return [
        (word, {"U": "unstimulated", "S": "stimulated"}[letter])
        for word, letter in (line.split("\t") for line in lines)
    ]


@pytest.mark.skipif(not WORDS.exists(), reason="the words of five languages are not there")
@pytest.mark.parametrize(
    "form", ["{}", "P01_{}_CD154", "XH-17 CD154 {}", "{} iso P01", "P01/{}/CD154", "P01_{}_cd40ig_003"]
)
def test_no_word_is_understood_wrongly(form: str) -> None:
    """In five languages: right, or asked."""
    for word, meaning in told():
        found = kind(form.format(word) + ".fcs")
        assert found.stimulation == meaning or found.doubts, word


@pytest.mark.parametrize(
    ("name", "stimulation"),
    [
        ("P1 unstim CD154", "unstimulated"),
        ("P1 not stimulated CD154", "unstimulated"),
        ("P1 non-stim CD154", "unstimulated"),
        ("P1_ohne_Stimulation_CD154", "unstimulated"),
        ("P1 sans PMA CD154", "unstimulated"),
        ("P1 sin PMA CD154", "unstimulated"),
        ("P1 senza stimolo CD154", "unstimulated"),
        ("P1 no PMA iono CD154", "unstimulated"),
        ("P1 PMA neg iso", "unstimulated"),
        ("P1 mit Stimulation CD154", "stimulated"),
        ("P1 PMA+Ionomycin CD154", "stimulated"),
        ("P1StimCD154", "stimulated"),
        ("P1UnstimCD154", "unstimulated"),
        ("Stimulated/P1 CD154", "stimulated"),
        ("P1/non stimulé/CD154", "unstimulated"),
    ],
)
def test_plain_words_and_negations_are_certain(name: str, stimulation: str) -> None:
    """A negation turns the word after it; `neg` the word before it."""
    found = kind(f"{name}.fcs")

    assert (found.stimulation, [doubt for doubt in found.doubts if "reagent" not in doubt]) == (stimulation, [])


@pytest.mark.parametrize(
    "name",
    [
        *(
            "P1 stim- CD154",
            "P1 -PMA CD154",
            "P1 NS CD154",
            "P1 4h CD154",
            "P1 unstim PMA CD154",
            "P1 stim control CD154",
        ),
        *(
            "Stimulated/P1 unstim CD154",
            "P1 CD154",
            "P1 PMA nicht CD154",
            "P1 not unstimulated CD154",
            "P1 basal CD154",
        ),
        *("P1 neg CD154", "P1 not CD154 stim", "P1 costim CD154", "P1 blank CD154"),
    ],
)
def test_what_is_not_plain_is_asked(name: str) -> None:
    """Signs that may be hyphens, words that may be names, contradictions, words that are not known."""
    assert kind(f"{name}.fcs").doubts


def test_signs_and_short_words_are_confirmed_by_the_others() -> None:
    """PMA- beside PMA+ is no hyphen; NS that alternates with PMA in several people is none's initials."""
    signs = drafted([f"{name} {word} CD154.fcs" for name in ("AK", "BK") for word in ("PMA-", "PMA+")])
    words = drafted([f"{name} {word} CD154.fcs" for name in ("AK", "BK") for word in ("NS", "PMA")])
    people = drafted([f"{name} {word} CD154.fcs" for name in ("AK", "NS") for word in ("unstim", "PMA")])

    assert not any(tube.doubts for tube in (*signs.values(), *words.values()))
    assert signs["AK PMA- CD154.fcs"].kind.stimulation == "unstimulated"
    assert words["BK NS CD154.fcs"].kind.stimulation == "unstimulated"
    assert people["NS PMA CD154.fcs"].doubts
    assert people["AK unstim CD154.fcs"].sample != people["NS unstim CD154.fcs"].sample


@pytest.mark.parametrize(
    ("name", "reagent", "certain"),
    [
        ("P1 stim CD40L", "CD154", True),
        ("P1 stim CD40-muIg", "CD40-Ig", True),
        ("P1 stim Isotype", "isotype", True),
        ("P1 stim Isotypkontrolle", "isotype", True),
        ("P1 stim sec only", "secondary", True),
        ("P1 stim CD40L clone 2", "CD154-2", True),
        ("P1 stim FMO", "FMO", True),
        ("P1 stim FMO CD154", "FMO", True),
        ("P1 stim FMO CD69", "FMO", False),
        ("P1 stim CD8 FMO", "FMO", False),
        ("P1 stim FMO PE", "FMO", False),
        ("P1 stim isotype secondary", "", False),
        ("P1 stim CD154 CD40-Ig", "", False),
        ("P1 stim no CD154", "CD154", False),
        ("P1 stim CD154 secondary", "secondary", False),
        ("P1 stim", "", False),
    ],
)
def test_reagents(name: str, reagent: str, certain: bool) -> None:
    """A background of another marker is no background, and two reagents in one name are asked about."""
    found = kind(f"{name}.fcs")

    assert (found.reagent, not found.doubts) == (reagent, certain)


def test_labels() -> None:
    """The dye of the labelled target makes FMO PE plain; a label that contradicts a name is asked about."""
    labels = {"PE-A": "CD154 PE", "APC-A": "CD3 APC"}

    assert not kind("P1 stim FMO PE.fcs", labels).doubts
    assert kind("P1 stim FMO APC.fcs", labels).doubts
    assert kind("P1 stim CD154.fcs", {"PE-A": "CD40-Ig PE"}).doubts == ("the name says CD154, a label CD40-Ig",)
    assert not kind("P1 stim isotype.fcs", labels).doubts
    assert kind("P1 stim.fcs", labels).doubts == ("CD154 by its label only",)
    # Two tubes for each person leave no other reading; a template's label on every tube tells nothing.
    assert not any(tube.doubts for tube in drafted(["AK stim.fcs", "AK unstim.fcs"], labels).values())
    assert not any(tube.doubts for tube in drafted(["AK stim CD154.fcs", "AK stim CD40-Ig.fcs"], labels).values())


def test_gates_in_names_of_exports_are_no_reagents() -> None:
    """FlowJo names the gate: the isotype's tube has a gate CD154+ too."""
    assert kind("export_P1_stim_isotype_CD154+.fcs").reagent == "isotype"
    assert kind("export_P1_stim_CD154+.fcs").reagent == ""


def test_the_table_of_words_is_sound() -> None:
    """Every row has a known role and a pattern of folded text; no word stands twice with another meaning."""
    roles = {word.role for word, _ in table()}
    assert roles == {
        *("stimulation", "unclear", "duration", "negation", "after", "with", "reagent", "calibration", "marker", "dye"),
        *("gate", "filler", "replicate", "copy", "run", "specimen", "relative", "control", "person"),
    }
    assert all(pattern.pattern == pattern.pattern.replace("  ", " ") for _, pattern in table())
