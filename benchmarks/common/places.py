"""Where the repository, the pages of the benchmarks, the recordings of instruments and their configurations are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "benchmarks"
REAL = ROOT.parent / "shared" / "fcs"
CONFIGURATIONS = ROOT / "tests" / "workflow" / "real"
