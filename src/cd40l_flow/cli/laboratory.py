"""Commands of a laboratory over many runs: history, prune."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cd40l_flow.base.errors import Cd40lFlowError

MOST_NAMED = 50


def prune(options: argparse.Namespace) -> int:
    """List what of results folders may be deleted; delete it when told so."""
    from cd40l_flow.laboratory.prune import AFTERWARDS, KINDS, delete, leftovers

    found, kept = [], []
    for place in map(Path, options.results):
        more, needed = leftovers(place, unsigned=options.unsigned)
        found += more
        kept += [(place, one) for one in needed]
    by_sample: dict[str, dict[str, int]] = {}
    for one in found:
        sizes = by_sample.setdefault(one.sample, {})
        sizes[one.kind] = sizes.get(one.kind, 0) + one.size
    for sample, sizes in sorted(by_sample.items()):
        print("\t".join([sample or "(all)", *(f"{kind} {_bytes(size)}" for kind, size in sizes.items())]))
    for kind, meaning in KINDS.items():
        sizes_of = [one.size for one in found if one.kind == kind]
        if sizes_of:
            print(f"  {kind}: {len(sizes_of)}, {_bytes(sum(sizes_of))}: {meaning}.", file=sys.stderr)
    for place, why in kept:
        print(f"  {place}: {why.kind} are kept: {why.why}", file=sys.stderr)
    total = sum(one.size for one in found)
    if not options.yes:
        print(f"prune: {_bytes(total)} may be deleted; with --yes it is.", file=sys.stderr)
        return 0
    print(f"prune: {_bytes(delete(found))} deleted. {AFTERWARDS}", file=sys.stderr)
    return 0


def history(options: argparse.Namespace) -> int:
    """Take runs into the history and write its page."""
    from cd40l_flow.base.disk import write_atomically
    from cd40l_flow.laboratory.collect import collect, results_folders
    from cd40l_flow.laboratory.history_page import render_history
    from cd40l_flow.laboratory.store import FILE, read_history, write_history

    out = Path(options.out)
    before = read_history(out / FILE)
    if not options.results and not before:
        raise Cd40lFlowError(f"history: {out} holds no history yet. Name results folders to begin it.")
    rows, taken = collect(results_folders([Path(place) for place in options.results]), before, out)
    for text in taken.left_out[:MOST_NAMED]:
        print(f"history: left out: {text}", file=sys.stderr)
    if len(taken.left_out) > MOST_NAMED:
        print(f"history: left out: {len(taken.left_out) - MOST_NAMED} more.", file=sys.stderr)
    # Equal rows are equal bytes: what has not changed is not written again.
    if rows != before:
        write_history(rows, out / FILE)
    write_atomically(out / "history.html", render_history(rows, out))
    folders = [f"{taken.read} results folders read", f"{taken.unchanged} unchanged"]
    folders += [f"{taken.remembered} from earlier calls"] if taken.remembered else []
    print(f"history: {len(rows)} samples ({', '.join(folders)}): {out / 'history.html'}", file=sys.stderr)
    return int(bool(taken.left_out))


def _bytes(size: float) -> str:
    units = ("B", "kB", "MB", "GB", "TB")
    power = next((power for power in range(len(units)) if size < 1000 ** (power + 1)), len(units) - 1)
    return f"{size / 1000**power:.3g} {units[power]}"
