"""Commands of a laboratory over many runs: validate, history, prune."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cd40l_flow.base.errors import Cd40lFlowError, RecordError

MOST_NAMED = 50


def prune(options: argparse.Namespace) -> int:
    """List what of results folders may be deleted; delete it if asked to."""
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


def validate(options: argparse.Namespace) -> int:
    """Write the validation file of a laboratory from its results."""
    from cd40l_flow.assay.lookup import current_assay
    from cd40l_flow.laboratory.validation.observations import observed, other_method
    from cd40l_flow.laboratory.validation.page import render_validation, studies, write_validation
    from cd40l_flow.result.record import read_record
    from cd40l_flow.result.reference import refuse_repeats
    from cd40l_flow.result.reference_places import find_results, foreign

    page = Path(options.out)
    if page.suffix != ".html":
        raise Cd40lFlowError(f"--out {page}: name a file that ends in .html; the table is written next to it.")
    if not 0 < options.allowed <= 100:
        raise Cd40lFlowError(f"--allowed {options.allowed:g}: expected a percent above 0 and up to 100.")
    others = other_method(Path(options.method)) if options.method else None
    assay, others_of = current_assay().name, 0
    results, left_out = [], []
    for place in find_results(options.results):
        try:
            result = read_record(place, same_engine=False)
        except RecordError as error:
            left_out.append(str(error))
            continue
        if result.assay != assay:
            others_of += 1
        elif why := foreign(place, result):
            left_out.append(f"{place}: {why}")
        else:
            results.append((str(place), result))
    refuse_repeats(results)
    observations = sorted((observed(result) for _, result in results), key=lambda one: (one.run, one.sample))
    found = studies(observations, others, options.allowed / 100)
    table = write_validation(page, found, render_validation(found, observations, left_out))
    for text in left_out:
        print(f"validate: left out: {text}", file=sys.stderr)
    for study in found:
        print(f"  {study.title}: {len(study.numbers)} numbers", file=sys.stderr)
        for text in study.missing:
            print(f"    {text}", file=sys.stderr)
    if others_of:
        print(f"  {others_of} results of other assays are no part of it", file=sys.stderr)
    print(f"validate: {len(observations)} samples: {page}, {table}", file=sys.stderr)
    return int(bool(left_out))


def _bytes(size: float) -> str:
    units = ("B", "kB", "MB", "GB", "TB")
    power = next((power for power in range(len(units)) if size < 1000 ** (power + 1)), len(units) - 1)
    return f"{size / 1000**power:.3g} {units[power]}"
