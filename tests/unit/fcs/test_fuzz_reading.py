"""Damaged files give one of our errors or events that satisfy every check, soon and in little memory.

``python -m benchmarks.files.fuzzing`` does the same with many times the files.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.damage.fuzz_seeds import recorded_seeds, simulated_seeds, small_seeds
from helpers.damage.fuzzing import Tally, run

FILES = 1200


def sound(tally: Tally, files: int) -> None:
    assert tally.failures == []
    assert tally.files == files == tally.read + sum(tally.refused.values())
    # A fuzz whose files are all refused, or by few rules, would test little.
    assert tally.read > files / 10
    assert len(tally.refused) >= 12


def test_damaged_dialects_and_simulated_tubes(tmp_path: Path) -> None:
    sound(run([*small_seeds(), *simulated_seeds(tmp_path)], FILES, 1), FILES)


@pytest.mark.slow
def test_damaged_recordings(recordings: Path) -> None:
    sound(run(recorded_seeds(recordings / "zoo"), FILES, 2), FILES)
