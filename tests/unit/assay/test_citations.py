"""What a paper would say of the analysis: complete, numbered in order, with the versions and limits that were used."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from cd40l_flow import ENGINE_VERSION, __version__
from cd40l_flow.assay.citations import methods, references
from cd40l_flow.assay.limits import Limits, plain_limits
from cd40l_flow.assay.lookup import ASSAYS
from cd40l_flow.cli.main import main

DOI = re.compile(r"doi:(10\.[^\s,;|)]+[^\s,;|).])")


def test_every_reference_is_cited_and_numbered_in_the_order_of_the_text() -> None:
    told = methods()
    marks = re.findall(r"\[([0-9, ]+)\]", " ".join(told.paragraphs))
    numbers = [int(number) for mark in marks for number in mark.split(",")]

    assert list(dict.fromkeys(numbers)) == list(range(1, len(references()) + 1))
    assert set(told.references) == set(references().values())
    assert not re.search(r"[{}]|\[[a-z]", told.text())


def test_methods_of_the_documentation_are_cited(root: Path) -> None:
    """Every doi of the page that explains the numbers is among the references."""
    named = set(DOI.findall((root / "docs/numbers.md").read_text(encoding="utf-8")))
    assert len(named) > 5
    assert named <= {one.doi for one in references().values()}


@pytest.mark.parametrize("assay", sorted(set(ASSAYS) - {"cd40l"}))
def test_another_assay_is_not_said_to_be_this_one(assay: str) -> None:
    """Its subject and statistics are its own, and nothing of CD154 is claimed or cited for it."""
    text = methods(assays=[assay]).text()
    assert "CD154" not in text and "O'Gorman" not in text and "profile likelihood" not in text
    assert "B cells" in text and "NumPy" in text and not re.search(r"[{}]|\[[a-z]", text)
    both = methods(assays=["cd40l", assay]).paragraphs
    assert both[-2].startswith("Percent positive") and both[-1] == methods(assays=[assay]).paragraphs[-1]


def test_a_limit_that_a_result_lacks_is_not_made_up() -> None:
    assert "at most (not stated) robust SD" in methods({"mixture": {"background_quantile": 0.99}}).text()


def test_the_text_has_what_was_used() -> None:
    """Versions of what is installed, the version of the analysis, and limits that a laboratory has changed."""
    text = methods().text()
    assert f"cd40l-flow {__version__} (analysis version {ENGINE_VERSION})" in text
    for name, distribution in (("NumPy", "numpy"), ("scikit-learn", "scikit-learn"), ("Snakemake", "snakemake")):
        assert f"{name} {version(distribution)}" in text
    assert "99th percentile" in text and "odds of 100 to 1" in text

    limits = plain_limits(Limits())
    limits["odds"]["call_odds"] = 1000.0
    limits["mixture"]["background_quantile"] = 0.995
    changed = methods(limits).text()
    assert "99.5th percentile" in changed and "odds of 1000 to 1" in changed


def test_the_command_prints_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["methods"]) == 0
    assert capsys.readouterr().out == methods().text()


def test_software_that_is_cited_is_what_the_citation_file_names(root: Path) -> None:
    """CITATION.cff lists the papers of the cited software: title, journal, year and doi are the same."""
    listed = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))["references"]
    cited = [one for one in references().values() if one.software]
    assert len(listed) == len(cited)
    for entry, one in zip(listed, cited, strict=True):
        author = entry["authors"][0]["family-names"]
        assert one.text.startswith(author)
        assert re.search(rf"\. {re.escape(entry['title'])}\. {entry['journal']}\s+{entry['year']};", one.text), entry[
            "title"
        ]
        assert entry.get("doi", "") == one.doi
