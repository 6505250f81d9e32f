"""What `check` says of sets of tubes before anything is run: what they can give, what not, and of which samples."""

from __future__ import annotations

from pathlib import Path

import pytest

from cd40l_flow.base.model import Sample, Tube
from cd40l_flow.cohort.config import parse_config
from cd40l_flow.cohort.tube_sets import tube_set_problems

TWO = ("unstimulated CD154", "stimulated CD154")
WHOLE = (*TWO, "stimulated isotype", "stimulated CD40-Ig", "stimulated secondary")


def _told(sets: dict[str, tuple[str, ...]], *, function: bool = True) -> list[str]:
    plain = {"samples": "samples.tsv", "tubes": "tubes.tsv", "fcs_dir": "fcs", "require_function": function}
    config, _ = parse_config(plain)
    assert config is not None
    samples = {
        name: Sample(
            name,
            "R1",
            "test",
            "M",
            tuple(Tube(f"{name}_{tube}.fcs", str(Path("fcs") / tube), *tube.split(" ")) for tube in tubes),
        )
        for name, tubes in sets.items()
    }
    lines = {name: number for number, name in enumerate(sets, 2)}
    return [problem.message for problem in tube_set_problems(config, samples, lines)]


def test_samples_of_one_set_are_reported_in_one_line() -> None:
    """Two tubes: CD154 can be called, CD40-Ig is not tested; the whole set beside them is not spoken of."""
    told = _told({"P01": TWO, "P02": TWO, "P03": WHOLE})
    assert len(told) == 1
    assert told[0].startswith("samples 'P01', 'P02' (unstimulated and stimulated CD154 only): CD154 expression can be")
    assert "wider error" in told[0]
    assert told[0].endswith("CD40-Ig binding is not tested: a functional defect is not seen, and NORMAL is not called "
                            "while require_function is true.")  # fmt: skip


def test_where_function_is_not_required_normal_can_be_called() -> None:
    assert _told({"P01": TWO}, function=False)[0].endswith("a functional defect is not seen.")


@pytest.mark.parametrize(
    ("tubes", "words"),
    [
        ((*TWO, "stimulated CD40-Ig"), "binding cannot be judged without secondary or an unstimulated CD40-Ig tube"),
        ((*TWO, "unstimulated CD40-Ig", "stimulated CD40-Ig"), "binding can be called without secondary"),
        (("stimulated CD154", "stimulated isotype"), "no call can be made without an unstimulated tube"),
        (("unstimulated CD154", "stimulated CD40-Ig"), "no call can be made without a stimulated CD154 tube"),
        (
            ("unstimulated CD40-Ig", "stimulated CD154", "stimulated CD40-Ig"),
            "CD154 cannot be called without isotype, FMO or an unstimulated tube of CD154",
        ),
        ((), "sample 'P01' has no tubes."),
    ],
)
def test_what_is_missing_costs_what_it_costs(tubes: tuple[str, ...], words: str) -> None:
    assert words in _told({"P01": tubes})[0]


@pytest.mark.parametrize("tubes", [WHOLE, (*TWO, "stimulated FMO", "stimulated CD40-Ig", "stimulated secondary")])
def test_a_whole_set_is_not_spoken_of(tubes: tuple[str, ...]) -> None:
    assert _told({"P01": tubes}) == []
