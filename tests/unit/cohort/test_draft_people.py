"""Whose tubes these are, from names alone: nobody is merged without a question."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cd40l_flow.cohort.drafts.ids import ascii_id
from cd40l_flow.cohort.drafts.words import look_up
from helpers.by_hand.drafts import TUBES, drafted


def grouped(paths: Sequence[str]) -> dict[str, set[str]]:
    """Return sample -> its files."""
    found: dict[str, set[str]] = {}
    for path, tube in drafted(paths).items():
        found.setdefault(tube.sample, set()).add(path)
    return found


def test_two_people_in_a_folder_of_a_date_are_two_samples() -> None:
    """P07 and P08 look like wells, but no plate has a row of P with five tubes in each well."""
    paths = [f"2025-03-01/{name}_{tube}.fcs" for name in ("P07", "P08") for tube in TUBES]

    tubes = drafted(paths)

    assert {path: tube.sample for path, tube in tubes.items()} == {path: path[11:14] for path in paths}
    assert not any(tube.doubts for tube in tubes.values())


@pytest.mark.parametrize(
    "names",
    [
        ("C01", "H07", "D1", "P03"),
        ("A01", "A02", "B01", "B02"),
        ("AB", "ÄB", "ÖB", "OB"),
        ("Müller", "Mueller", "Möller"),
        ("P03", "P03 mother", "P03 father"),
        ("F01a", "F01b", "F02a"),
        ("XH-17", "XH-18"),
        ("1-1", "1-2", "2-1"),
        ("00012345", "00012346"),
        ("Иванов", "Иванова"),
        ("HC1", "HC2", "Patient 1"),
    ],
)
@pytest.mark.parametrize(
    "form",
    [
        "{id}_{tube}.fcs",
        "{tube}_{id}.fcs",
        "{id}/{tube}.fcs",
        "Specimen_001_{id} {tube}_{n:03d}.fcs",
        "export_{id}_{tube}_CD4+.fcs",
    ],
)
def test_people_stay_apart(names: Sequence[str], form: str) -> None:
    """Every way to call people, at every place of a path: as many samples as people, each with its five tubes."""
    paths = {
        form.format(id=name, tube=tube, n=len(TUBES) * k + t): name
        for k, name in enumerate(names)
        for t, tube in enumerate(TUBES, 1)
    }

    groups = grouped(list(paths))

    whose = {frozenset(paths[path] for path in group) for group in groups.values()}
    assert whose == {frozenset([name]) for name in names}
    assert all(name.isascii() for name in groups)


@pytest.mark.parametrize("missing", range(5))
def test_parts_of_sets_are_not_put_together(missing: int) -> None:
    """One person has only the tube that the other lacks: together one set, yet two names."""
    paths = [f"2025-03-01/P07_{tube}.fcs" for n, tube in enumerate(TUBES) if n != missing]
    paths.append(f"2025-03-01/P08_{TUBES[missing]}.fcs")

    assert {tube.sample for tube in drafted(paths).values()} == {"P07", "P08"}


WORDLESS = st.text("bcdfghjkmnqrtvwxz", min_size=3, max_size=6).filter(lambda text: look_up(text) is None)


@settings(max_examples=150, deadline=None)
@given(
    names=st.lists(WORDLESS, min_size=2, max_size=5, unique=True),
    digits=st.booleans(),
    form=st.sampled_from(
        ["{id}_{tube}", "{tube} {id}", "{tube}_{id}_{n:03d}", "{id}/{tube}", "2025-03-01/{id}-{tube}_{w}"]
    ),
    data=st.data(),
)
def test_no_two_names_share_a_sample_without_a_question(
    names: list[str], digits: bool, form: str, data: st.DataObject
) -> None:
    """Whatever people are called and whichever of their tubes there are."""
    people = [f"{name}{k + 1:02d}" if digits else name for k, name in enumerate(names)]
    kept = st.lists(st.sampled_from(TUBES), min_size=1, max_size=5, unique=True)
    paths: dict[str, str] = {}
    for person in people:
        for tube in data.draw(kept):
            n = len(paths)
            well = f"{'ABCDEFGH'[n // 12]}{n % 12 + 1:02d}"
            paths[f"{form.format(id=person, tube=tube, n=n, w=well)}.fcs"] = person
    tubes = drafted(list(paths))

    for sample in {tube.sample for tube in tubes.values()}:
        group = [path for path, tube in tubes.items() if tube.sample == sample]
        if len({paths[path] for path in group}) > 1:
            assert any(tubes[path].doubts for path in group)


def test_a_plate_is_seen_by_its_grid() -> None:
    """Wells that fill a grid beside names are none of the sample; without names they are all there is, and asked."""
    wells = [f"{row}{column:02d}" for row in "AB" for column in range(1, 6)]
    named = {f"{'XY'[n // 5]}K_{TUBES[n % 5]}_{well}.fcs" for n, well in enumerate(wells)}
    bare = {f"Specimen_001_{well}_{well}_{n:03d}.fcs" for n, well in enumerate(wells)}

    assert {tube.sample for tube in drafted(sorted(named)).values()} == {"XK", "YK"}
    assert not any(tube.doubts for tube in drafted(sorted(named)).values())
    assert all(any("which sample?" in doubt for doubt in tube.doubts) for tube in drafted(sorted(bare)).values())


def test_numbers_at_the_end_are_counters_people_or_asked() -> None:
    """A number that never returns counts; one that returns without another name is a person, else it is asked."""
    counters = drafted(
        [f"{name}_{tube}_{n:03d}.fcs" for n, (name, tube) in enumerate((a, b) for a in ("AK", "BK") for b in TUBES)]
    )
    people = drafted([f"{tube}_{n:02d}.fcs" for n in range(1, 6) for tube in TUBES])
    either = drafted([f"{name}_{tube}_{n}.fcs" for name in ("AK", "BK") for n in (1, 2) for tube in TUBES])
    spelled = drafted([f"AK_{tube}_rep{n}.fcs" for n in (1, 2) for tube in TUBES])

    assert {tube.sample for tube in counters.values()} == {"AK", "BK"}
    assert not any(tube.doubts for tube in counters.values())
    assert {tube.sample for tube in people.values()} == {"01", "02", "03", "04", "05"}
    assert not any(tube.doubts for tube in people.values())
    assert all(any("another person, or a replicate?" in doubt for doubt in tube.doubts) for tube in either.values())
    assert {tube.sample for tube in spelled.values()} == {"AK"}
    assert not any(tube.doubts for tube in spelled.values())


def test_one_word_for_all_may_be_no_person() -> None:
    """Where all names share one word and only wells or numbers differ, these may be two people: asked."""
    wells = drafted(
        [f"XK_{tube}_{row}{n}_{row}0{n}.fcs" for n, (tube, row) in enumerate(zip(TUBES, "AABBB", strict=True), 1)]
    )
    alone = drafted([f"XK_{tube}.fcs" for tube in TUBES])

    assert all(any("is in the names of all files" in doubt for doubt in tube.doubts) for tube in wells.values())
    assert not any(tube.doubts for tube in alone.values())


def test_words_that_are_names_too_are_asked_about() -> None:
    """Aria and Aurora are cytometers and girls: left out of the sample's name, but never without a question."""
    tubes = drafted([f"Rossi {name} {tube}.fcs" for name, tube in zip(("Aria", "Aurora") * 3, TUBES, strict=False)])

    assert all(any("is in" in doubt for doubt in tube.doubts) for tube in tubes.values())


def test_the_same_name_on_two_days_is_two_samples() -> None:
    """A control of every run; but parts of one set on two days are asked about."""
    whole = drafted([f"{day}/HC1_{tube}.fcs" for day in ("2025-03-01", "2025-03-08") for tube in TUBES])
    parts = drafted([f"2025-03-0{1 + (n > 2)}/HC1_{tube}.fcs" for n, tube in enumerate(TUBES)])

    assert {tube.sample for tube in whole.values()} == {"HC1-2025-03-01", "HC1-2025-03-08"}
    assert not any(tube.doubts for tube in whole.values())
    assert all(any("one sample with" in doubt for doubt in tube.doubts) for tube in parts.values())


def test_names_nearly_the_same_are_asked_about() -> None:
    """P1 and P01 are kept apart, and the question names both."""
    tubes = drafted([f"{name}_{tube}.fcs" for name, tube in zip(("P1", "P01", "P1", "P01", "P1"), TUBES, strict=True)])

    assert {tube.sample for tube in tubes.values()} == {"P1", "P01"}
    assert all(any("nearly the same" in doubt for doubt in tube.doubts) for tube in tubes.values())


def test_two_files_of_one_kind_are_asked_about() -> None:
    """Replicates, repeats or another person: the question names the files."""
    tubes = drafted(
        [
            *(f"P03 {tube}_{n:03d}.fcs" for n, tube in enumerate(("stim CD154",) * 2 + TUBES[:1], 1)),
            "P08 stim CD154_009.fcs",
        ]
    )

    asked = [path for path, tube in tubes.items() if tube.doubts]
    assert asked == ["P03 stim CD154_001.fcs", "P03 stim CD154_002.fcs"]
    assert "'P03 stim CD154_001.fcs', 'P03 stim CD154_002.fcs'" in tubes[asked[0]].doubts[0]


def test_headers_part_files_whose_names_tell_no_one() -> None:
    """BD's default names: what the headers have in common makes a sample, and every row asks."""
    paths = [f"Specimen_001_Tube_{n:03d}.fcs" for n in range(1, 7)]
    tubes = drafted(paths, identity={path: {"$SMNO": "ab"[n // 3]} for n, path in enumerate(paths)})

    assert [tubes[path].sample for path in paths] == ["unnamed1"] * 3 + ["unnamed2"] * 3
    assert all(any("which sample?" in doubt for doubt in tube.doubts) for tube in tubes.values())


@given(st.text(max_size=40), st.text(max_size=40))
def test_ids_are_names_of_samples(one: str, other: str) -> None:
    """Whatever people are called: the letters that sheets allow, never starting with a sign."""
    for text in (one, other):
        name = ascii_id(text)
        assert name.isascii()
        assert not name or (name[0].isalnum() and all(char.isalnum() or char in "._-" for char in name))


@pytest.mark.parametrize(
    "names",
    [
        ("001 KL stim", "002 KL unstim", "003 MB stim", "004 MB unstim"),
        ("001 KL stim", "002 KL unstim", "003 KL isotype stim", "004 MB stim", "005 MB unstim"),
        ("KL/001 stim", "KL/002 unstim", "MB/003 stim", "MB/004 unstim"),
        ("KL stim 001", "KL unstim 002", "MB stim 003", "MB unstim 004"),
        ("stim 001 KL", "unstim 002 KL", "stim 003 MB", "unstim 004 MB"),
        ("20250301 001 KL stim", "20250301 002 KL unstim", "20250301 003 MB stim", "20250301 004 MB unstim"),
        ("A1 KL stim", "A2 KL unstim", "A3 MB stim", "B1 MB unstim", "B2 NO stim", "B3 NO unstim"),
    ],
)
def test_people_with_one_tube_each_under_operators_are_never_merged_without_a_question(names: tuple[str, ...]) -> None:
    """Numbers that never return may be people, and the initials beside them those of who stained."""
    tubes = drafted([f"{name} CD154.fcs" if "iso" not in name else f"{name}.fcs" for name in names])

    merged = {tube.sample for tube in tubes.values()}
    assert len(merged) == len(names) or all(tube.doubts for tube in tubes.values())


def test_numbers_before_whole_sets_of_tubes_only_count_the_files() -> None:
    """Nobody has one tube each so that all under one name make a set; nor where the name is a person's code."""
    whole = [f"{10 * k + n:03} {who} {tube}.fcs" for k, who in enumerate(("KL", "MB")) for n, tube in enumerate(TUBES)]
    coded = ["001 P03 stim CD154.fcs", "002 P03 unstim CD154.fcs", "003 P08 stim CD154.fcs", "004 P08 unstim CD154.fcs"]

    assert not any(tube.doubts for tube in drafted(whole).values())
    assert {tube.sample for tube in drafted(whole).values()} == {"KL", "MB"}
    assert not any(tube.doubts for tube in drafted(coded).values())
