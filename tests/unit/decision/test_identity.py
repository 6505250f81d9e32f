"""The same data under two names is an error for both, whatever the files are called and their keywords say."""

from __future__ import annotations

from pathlib import Path

import pytest

from cd40l_flow.base.model import Sample, Tube
from cd40l_flow.cohort.identity import repeated_data
from cd40l_flow.cohort.settings import Settings
from cd40l_flow.inputs import Read, _data_of, _without_others, read_sample
from helpers.by_hand.fcs_files import Fcs

SETTINGS = Settings()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {
        "a.fcs": Fcs(),
        "copy.fcs": Fcs(keywords={"$FIL": "other.fcs", "$CYT": "another"}),
        "b.fcs": Fcs(events=21),
        "c.fcs": Fcs(events=22),
    }
    for name, fcs in files.items():
        (tmp_path / name).write_bytes(fcs.bytes())
    return tmp_path


def sample(folder: Path, name: str, *files: str, role: str = "test") -> Sample:
    stimulations = ("stimulated", "unstimulated", "stimulated")
    tubes = tuple(
        Tube(file, str(folder / file), stimulation, "CD154")
        for file, stimulation in zip(files, stimulations, strict=False)
    )
    return Sample(name, "R1", role, "M", tubes)


def told(samples: list[Sample], controls: dict[str, tuple[str, ...]]) -> list[tuple[str, str | None, str, str]]:
    found = repeated_data({each.sample: each for each in samples}, controls)
    return [(each.severity, each.sample, each.file, each.message) for each in found]


def test_two_tubes_of_a_sample(folder: Path) -> None:
    both = sample(folder, "P01", "a.fcs", "copy.fcs", "b.fcs")
    assert told([both], {}) == [
        ("sample", "P01", "a.fcs", "holds the same data as copy.fcs of P01."),
        ("sample", "P01", "copy.fcs", "holds the same data as a.fcs of P01."),
    ]
    read = read_sample(both, SETTINGS)
    assert [(refusal.fcs, refusal.code) for refusal in read.refusals] == [
        ("a.fcs", "FILE_INTEGRITY"),
        ("copy.fcs", "FILE_INTEGRITY"),
    ]
    assert [events.tube.fcs for events in read.events] == ["b.fcs"]


def test_a_tube_of_the_control_and_one_of_another_patient(folder: Path) -> None:
    samples = [
        sample(folder, "C01", "a.fcs", role="control"),
        sample(folder, "P01", "copy.fcs", "b.fcs"),
        sample(folder, "P02", "c.fcs"),
    ]
    found = told(samples, {"P01": ("C01",), "P02": ("C01",)})
    assert [(severity, name, file) for severity, name, file, _ in found] == [
        ("warning", "C01", "a.fcs"),
        ("sample", "P01", "copy.fcs"),
    ]


def test_of_many_copies_a_message_names_a_few(folder: Path) -> None:
    names = [f"copy{number}.fcs" for number in range(8)]
    for number, name in enumerate(names):
        (folder / name).write_bytes(Fcs(keywords={"$CYT": f"{number}"}).bytes())
    samples = [sample(folder, f"P{number:02d}", name) for number, name in enumerate(names)]

    found = told(samples, {"P07": ("P06",)})

    assert [severity for severity, *_ in found] == [*(7 * ("warning",)), "sample"]
    for _, _, file, message in found:
        assert message.endswith(", others.")
        assert sum(f"{name} of" in message for name in names if name != file) == 5


def test_the_same_path_and_what_cannot_be_read_are_not_reported_here(folder: Path) -> None:
    (folder / "cut.fcs").write_bytes(Fcs().bytes()[:-1])
    samples = [sample(folder, "P01", "a.fcs", "cut.fcs"), sample(folder, "P02", "a.fcs", "none.fcs")]
    assert told(samples, {}) == []


def test_a_sample_loses_what_it_shares_with_its_control(folder: Path) -> None:
    control = read_sample(sample(folder, "C01", "a.fcs", "b.fcs", role="control"), SETTINGS)
    patient = read_sample(sample(folder, "P01", "copy.fcs", "c.fcs"), SETTINGS)
    read: Read = _without_others(patient, _data_of([control]))
    assert [events.tube.fcs for events in read.events] == ["c.fcs"]
    (refusal,) = read.refusals
    assert (refusal.fcs, refusal.code) == ("copy.fcs", "FILE_INTEGRITY")
    assert "copy.fcs holds the same data as a.fcs of C01" in refusal.message
    assert _without_others(patient, {}) == patient


def test_a_combined_tube_is_no_repeat(folder: Path) -> None:
    path = folder / "both.fcs"
    detectors = ("FITC-A", "PE-A", "APC-A", "PerCP-A", "BV421-A")
    matrix = ["1" if row == column else "0" for row in detectors for column in detectors]
    spillover = ",".join(("5", *detectors, *matrix))
    path.write_bytes(Fcs(keywords={"$P2S": "CD40-Ig", "$P2N": "BV421-A", "$SPILLOVER": spillover}).bytes())
    tubes = tuple(Tube("both.fcs", str(path), "stimulated", reagent) for reagent in ("CD154", "CD40-Ig"))
    combined = Sample("P01", "R1", "test", "F", tubes)
    assert told([combined], {}) == []
    assert read_sample(combined, SETTINGS).refusals == ()


def test_no_identity_comes_from_the_file(folder: Path) -> None:
    """Ids are the sheet's; ``$FIL`` of another sample changes nothing."""
    read = read_sample(sample(folder, "P01", "copy.fcs"), SETTINGS)
    assert read.sample.sample == "P01"
    assert "other.fcs" not in repr(read)
