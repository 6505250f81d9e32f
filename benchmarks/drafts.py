"""Draft folders named as laboratories name them, and count what was right, asked and wrong: ``python -m benchmarks.drafts``."""

from __future__ import annotations

import argparse
import csv
import io
import random
import struct
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.drafts_schemes import HELD_OUT, TUNED, Scheme, Tube, composed, folder
from cd40l_flow.inputs.draft import draft

ROOT = Path(__file__).parents[1]
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
    text = {"$BYTEORD": "1,2,3,4", "$DATATYPE": "F", "$MODE": "L", "$NEXTDATA": "0", "$PAR": str(len(NAMES)), "$TOT": "1"}
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


def measure(scheme: Scheme, seed: int, shown: Path | None = None) -> Count:
    """Write one folder named by a scheme, draft it and compare the draft with the truth."""
    tubes = {tube.path: tube for tube in folder(scheme, random.Random(f"{scheme.name} {seed}"))}
    with tempfile.TemporaryDirectory() as place:
        for path, tube in tubes.items():
            (Path(place) / path).parent.mkdir(parents=True, exist_ok=True)
            (Path(place) / path).write_bytes(fcs_bytes(tube.keywords))
        drafted = draft(Path(place), "fcs")
    text = drafted.files["config/tubes.tsv"]
    if shown is not None:
        shown.write_text(f"{drafted.table}\n{text}", encoding="utf-8", errors="backslashreplace")
    return compare(tubes, list(csv.DictReader(io.StringIO(text), delimiter="\t")))


def compare(tubes: Mapping[str, Tube], rows: Sequence[Mapping[str, str]]) -> Count:
    """Count what rows of a sheet of tubes say rightly and wrongly of tubes whose truth is known."""
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


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drafts", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="folders of each scheme (default: %(default)s)")
    parser.add_argument("--composed", type=int, nargs=2, default=(0, 100), metavar=("FROM", "TO"))
    parser.add_argument("--sets", default="tuned,composed")
    parser.add_argument("--show", metavar="SCHEME", help="write the draft of one scheme to standard output")
    options = parser.parse_args()
    sets = {"tuned": TUNED, "held": HELD_OUT, "composed": [composed(n) for n in range(*options.composed)]}
    for name in options.sets.split(","):
        whole = Count()
        for scheme in sets[name]:
            if options.show and scheme.name != options.show:
                continue
            count = Count()
            for seed in range(1 if options.show or name == "composed" else options.seeds):
                count += measure(scheme, seed, Path("/dev/stdout") if options.show else None)
            whole += count
            if count.share < 0.95 or count.merged or count.stimulation or count.reagent or count.foreign:
                print(f"{scheme.name:42} {count.share:5.0%} {scheme.template} {scheme.people} {scheme.words} {scheme.reagents} {count.merged} {count.stimulation} {count.reagent} {count.apart} {count.foreign}")
        print(name, f"{whole.share:.1%}", whole)


if __name__ == "__main__":
    main()
