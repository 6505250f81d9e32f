"""What headers show of whose a tube is: compared as digests within one draft, never shown, never written."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from cd40l_flow.fcs.reader import Recording

# Keywords in which instruments keep the subject, the sample, the specimen or the group of a tube, or the experiment.
KEYWORDS = (
    *("PATIENT ID", "SAMPLE ID", "SAMPLEID", "@SAMPLEID1", "@SAMPLEID2", "SAMPLE_NAME", "SAMPLE NAME", "$SMNO", "$SRC"),
    *("SPECIMEN NAME", "SPECIMEN", "GROUPNAME", "GROUP_NAME", "EXPERIMENT NAME", "EXPERIMENT_NAME", "$PROJ", "$DATE"),
)
_EMPTY = frozenset(("", "NA", "N/A", "NONE", "NOREAD", "UNKNOWN", "0", "-"))


def identity(recording: Recording) -> dict[str, str]:
    """Return keyword -> digest of its value, for the keywords of one file that may show whose it is."""
    first, last = recording.text.segment
    content = bytes(recording.content[first : last + 1])
    cut = re.escape(content[:1])
    found = {}
    for keyword in KEYWORDS:
        name = re.escape(keyword.encode())
        match = re.search(cut + rb"\s*" + name + rb"\s*" + cut + rb"([^" + cut + rb"]*)", content, re.IGNORECASE)
        value = b" ".join(match[1].split()).upper() if match else b""
        if value.decode("latin-1") not in _EMPTY:
            found[keyword] = hashlib.sha256(value).hexdigest()
    return found


def differing(
    samples: Sequence[Sequence[str]], identities: Mapping[str, Mapping[str, str]], kinds: Mapping[str, tuple[str, str]]
) -> dict[int, list[list[str]]]:
    """Return, for samples (by position) whose headers name more than one, their files split as the headers split them.

    A keyword counts where its values are shared by several files, so that it names more than a tube, and where they do
    not merely follow the kind of tube.
    """
    found: dict[int, list[list[str]]] = {}
    for keyword in KEYWORDS:
        values = {path: each[keyword] for path, each in identities.items() if keyword in each}
        if len(set(values.values())) < 2 or len(set(values.values())) == len(values) or _by_kind(values, kinds):
            continue
        for number, sample in enumerate(samples):
            parts: dict[str, list[str]] = defaultdict(list)
            for path in sample:
                if path in values:
                    parts[values[path]].append(path)
            alone = all(len(each) == 1 for each in parts.values())
            if len(parts) > 1 and not (alone and len(parts) > 2) and number not in found:
                found[number] = list(parts.values())
    return found


def _by_kind(values: Mapping[str, str], kinds: Mapping[str, tuple[str, str]]) -> bool:
    """Return whether a keyword has one value for every kind of tube, seen in several tubes of two kinds or more."""
    seen: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path, value in values.items():
        seen[kinds[path]].append(value)
    repeated = {each[0] for each in seen.values() if len(each) > 1}
    return len(repeated) > 1 and all(len(set(each)) == 1 for each in seen.values())
