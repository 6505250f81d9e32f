"""Draft folders named as laboratories name them; count right, asked, wrong: ``python -m benchmarks.files.drafts``."""

from __future__ import annotations

import argparse
import csv
import io
import random
import struct
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common.places import PAGES
from benchmarks.files.drafts_schemes import FEW, LAST, MISSING, PEOPLE, SECOND, TUNED, Scheme, Tube, composed, folder
from cd40l_flow.cohort.draft import draft

NAMES = ("FSC-A", "SSC-A", "FITC-A", "PE-A", "APC-A", "PerCP-A", "Time")
LABELS = ("", "", "CD8 FITC", "", "CD3 APC", "CD69 PerCP", "")


@dataclass
class Count:
    """What came of the drafts of some folders."""

    files: int = 0
    right: int = 0
    asked: int = 0
    merged: int = 0
    stimulation: int = 0
    reagent: int = 0
    apart: int = 0
    foreign: int = 0

    def __iadd__(self, other: Count) -> Count:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)
        return self

    @property
    def share(self) -> float:
        """Tubes drafted right without a question, of all."""
        return self.right / self.files if self.files else 0.0


def fcs_bytes(keywords: Mapping[str, str]) -> bytes:
    """Return an FCS file of one event with such keywords; LABEL is that of the target's detector."""
    text = {
        "$BYTEORD": "1,2,3,4",
        "$DATATYPE": "F",
        "$MODE": "L",
        "$NEXTDATA": "0",
        "$PAR": str(len(NAMES)),
        "$TOT": "1",
    }
    for n, (name, label) in enumerate(zip(NAMES, LABELS, strict=True), 1):
        text |= {f"$P{n}N": name, f"$P{n}B": "32", f"$P{n}E": "0,0", f"$P{n}R": "262144"}
        label = keywords.get("LABEL", "") if name == "PE-A" else label
        text |= {f"$P{n}S": label} if label else {}
    text |= {key: value for key, value in keywords.items() if value and key != "LABEL"}
    data = struct.pack(f"<{len(NAMES)}f", *range(1, len(NAMES) + 1))

    def segment(begin: int) -> bytes:
        offsets = {"$BEGINDATA": f"{begin:>8}", "$ENDDATA": f"{begin + len(data) - 1:>8}"}
        return ("\x0c" + "".join(f"{key}\x0c{value}\x0c" for key, value in (offsets | text).items())).encode()

    begin = 58 + len(segment(0))
    fields = (58, begin - 1, begin, begin + len(data) - 1, 0, 0)
    return b"FCS3.1    " + "".join(f"{each:>8}" for each in fields).encode() + segment(begin) + data


def measure(scheme: Scheme, seed: int, missing: float = MISSING, shown: bool = False) -> Count:
    """Write one folder named by a scheme, draft it and compare the draft with the truth."""
    tubes = {tube.path: tube for tube in folder(scheme, random.Random(f"{scheme.name} {seed}"), missing)}
    with tempfile.TemporaryDirectory() as place:
        for path, tube in tubes.items():
            (Path(place) / path).parent.mkdir(parents=True, exist_ok=True)
            (Path(place) / path).write_bytes(fcs_bytes(tube.keywords))
        drafted = draft(Path(place), "fcs")
    text = drafted.files["config/tubes.tsv"]
    if shown:
        print(f"{drafted.table}\n{text}")
    return compare(tubes, list(csv.DictReader(io.StringIO(text), delimiter="\t")))


def compare(tubes: Mapping[str, Tube], rows: Sequence[Mapping[str, str]]) -> Count:
    """Count what rows of a sheet of tubes state rightly and wrongly about tubes whose truth is known."""
    count = Count(files=sum(bool(tube.person) for tube in tubes.values()))
    people: dict[str, set[str]] = defaultdict(set)
    samples: dict[str, set[str]] = defaultdict(set)
    asked: dict[str, bool] = defaultdict(bool)
    for row in rows:
        tube = tubes[row["fcs"]]
        if tube.person:
            people[row["sample"]].add(tube.person)
            samples[tube.person].add(row["sample"])
        asked[row["sample"]] |= bool(row["check"])
    count.merged = sum(len(each) > 1 and not asked[sample] for sample, each in people.items())
    count.apart = sum(len(each) > 1 for each in samples.values())
    for row in rows:
        tube = tubes[row["fcs"]]
        if not tube.person:
            count.foreign += not row["check"]
            continue
        count.asked += bool(row["check"])
        if row["check"]:
            continue
        count.stimulation += row["stimulation"] != tube.stimulation
        count.reagent += row["reagent"] != tube.reagent
        alone = people[row["sample"]] == {tube.person} and samples[tube.person] == {row["sample"]}
        count.right += alone and (row["stimulation"], row["reagent"]) == (tube.stimulation, tube.reagent)
    return count


def page(seeds: int, first: int, last: int) -> str:
    tuned = {scheme.name: total([scheme], seeds) for scheme in TUNED}
    second = {scheme.name: total([scheme], seeds) for scheme in SECOND}
    final = {scheme.name: total([scheme], seeds) for scheme in LAST}
    made = [composed(number) for number in range(first, last)]
    sets = {
        f"the {len(TUNED)} schemes below": add(tuned.values()),
        f"{len(SECOND)} further schemes": add(second.values()),
        f"{len(LAST)} schemes written last": add(final.values()),
        f"{len(made)} schemes put together at random": total(made, 1),
        f"the same, half of the tubes missing ({first}, ...)": total(made, 1, FEW),
    }
    lines = [f"| {name} | {_cells(count)} |" for name, count in sets.items()]
    detail = [
        f"| {name.removeprefix('held: ')} | {_cells(count)} |"
        for each in (tuned, second, final)
        for name, count in each.items()
    ]
    head = "files | right, no question | asked | merged | stimulation | reagent | apart | foreign |"
    rule = "|---|---|---|---|---|---|---|---|---|"
    return f"""# Drafts from the names of files

Written by `python -m benchmarks.files.drafts --seeds {seeds} --composed {first} {last}`. Folders of {PEOPLE} people are
named as laboratories name them and drafted as `cd40l-flow init` does; the truth is known. Each tube is missing with a
probability of {MISSING:g}, for it is parts of sets that could be put together without a word.

- *right, no question*: tubes whose sample, stimulation and reagent are right and whose `check` is empty.
- *asked*: tubes with a question in `check`; nothing runs before a person has answered it.
- *merged*: samples that hold the tubes of two people, none of them asked about. *stimulation*, *reagent*: tubes for
  which these are wrong without a question. **These must be 0.**
- *apart*: people whose tubes are in more than one sample; *foreign*: files that are no tubes of the assay, without a
  question.

| folders | {head}
{rule}
{chr(10).join(lines)}

The first schemes were there when the rules were made. The further ones were written before any of them was drafted; at
their first draft 75 % were right without a question, nobody was merged and nothing was wrong; then what they showed was
mended. Those written last, and those put together at random with numbers from {first} on, were measured as they are.

What asks for everything asks rightly: names such as `Specimen_001_Tube_003.fcs`, wells alone, `P01_stim_CD154_2.fcs`
where 2 may be a replicate or a person, `0h` and `4h`, `US` and `P-I`, initials that are words of the assay.

| scheme | {head}
{rule}
{chr(10).join(detail)}
"""


def _cells(count: Count) -> str:
    wrong = (count.merged, count.stimulation, count.reagent, count.apart, count.foreign)
    return f"{count.files:,} | {count.share:.1%} | {count.asked:,} | {' | '.join(map(str, wrong))}"


def total(schemes: Sequence[Scheme], seeds: int, missing: float = MISSING) -> Count:
    """Return what comes of some folders of every scheme."""
    return add(measure(scheme, seed, missing) for scheme in schemes for seed in range(seeds))


def add(counts: Iterable[Count]) -> Count:
    """Return the sum of counts."""
    whole = Count()
    for count in counts:
        whole += count
    return whole


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.files.drafts", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="folders of each scheme (default: %(default)s)")
    parser.add_argument(
        "--composed",
        type=int,
        nargs=2,
        default=(1000, 1200),
        metavar=("FROM", "TO"),
        help="numbers of schemes put together",
    )
    parser.add_argument("--out", type=Path, default=PAGES / "drafts.md", help="file to write")
    parser.add_argument("--show", metavar="SCHEME", help="instead: show the draft of one scheme")
    options = parser.parse_args()
    if options.show:
        every = [*TUNED, *SECOND, *LAST, *(composed(number) for number in range(*options.composed))]
        measure(next(scheme for scheme in every if scheme.name == options.show), 0, shown=True)
        return
    text = page(options.seeds, *options.composed)
    options.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
