"""How many samples got which call, in the words of the last lines of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cd40l_flow.result.order import CALLS

# What people and programs find the lines of a run by.
MARK = "cd40l-flow:"


@dataclass(frozen=True)
class Tally:
    """Counts of a run, no name among them: ``calls`` has every kind, ``failed`` and ``unbegun`` count samples.

    Without any kind the calls are not known.
    """

    samples: int
    calls: Mapping[str, int]
    failed: int = 0
    unbegun: int = 0

    @classmethod
    def of(cls, calls: Iterable[str], *, failed: int = 0, unbegun: int = 0) -> Tally:
        """Return the counts of the calls of samples."""
        counted = Counter(calls)
        return cls(counted.total(), {call: counted[call] for call in CALLS}, failed, unbegun)

    def words(self) -> str:
        """Return the calls that there are, as ``3 samples: 2 NORMAL, 1 ABSENT``."""
        samples = "1 sample" if self.samples == 1 else f"{self.samples} samples"
        calls = ", ".join(f"{number} {call}" for call, number in self.calls.items() if number)
        return f"{samples}: {calls or 'not known'}"


def last_lines(tally: Tally, index: str, *, complete: bool = True) -> list[str]:
    """Return what a run says in the end: calls by kind, how much failed, and where the index is or why there is none.

    ``complete`` says whether every step went well; what failed is named after these lines.
    """
    parts = [f"{number} {what}" for number, what in ((tally.failed, "failed"), (tally.unbegun, "not begun")) if number]
    trouble = ", ".join(parts) or ("none" if complete else "a step that is of no single sample: see the errors above")
    return [f"{MARK} calls of {tally.words()}", f"{MARK} failures: {trouble}", f"{MARK} index: {index}"]


def progress(stage: str, number: int, of: int, run: str = "") -> str:
    """Return the line of a step that has ended, as ``cd40l-flow: analyse 12 of 96 (run R1)``."""
    return f"{MARK} {stage} {number} of {of}" + (f" (run {run})" if run else "")
