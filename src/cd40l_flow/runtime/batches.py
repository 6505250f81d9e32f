"""Which samples share a submission on a cluster.

A submission has a cost of its own, the start of Snakemake, and a controller does not like thousands of short jobs. On
the other hand all nodes should have work, and a run whose controls are done should not wait for another run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import ceil

# Samples for each core of a submission: fewer and its start would be most of its time; more are not needed to make up
# for it, and keep other nodes waiting.
LEAST, MOST = 6, 24
# Cores of a submission where `--cores` is not given, and the most: a wider one waits longer for a place on a node.
CORES, CORES_AT_MOST = 2, 8
# A run is divided if it has more than so many times the samples that a submission should have. Its controls then have
# a submission that the others wait for, which is seen to have ended after 15 to 20 s: with less to share out, its parts
# take longer.
WHOLE = 2


def cores_of(wanted: int | None) -> int:
    """Return how many steps of a submission run side by side; ``wanted`` is Snakemake's ``--cores``."""
    return CORES if wanted is None else min(max(wanted, 1), CORES_AT_MOST)


def size_of_batch(samples: int, cores: int, submissions: int | None) -> int:
    """Return the number of samples that share a submission.

    As many submissions as have ``LEAST`` samples for each of their ``cores``, but no more than may run at a time
    (``submissions``, Snakemake's ``--jobs``); a submission has at most ``MOST`` samples for each core.
    """
    wanted = max(1, ceil(samples / (LEAST * cores)))
    return min(ceil(samples / min(wanted, submissions or wanted)), MOST * cores)


def batches(due: Mapping[str, Iterable[str]], cores: int, submissions: int | None) -> dict[str, str]:
    """Return sample -> name of its submission.

    ``due`` is sample -> controls, of every sample that has something to be done. Runs that fit are kept whole, so that
    their controls are analysed first within the same submission. Of a larger run, the controls have one submission, and
    its other samples share several.
    """
    if not due:
        return {}
    size = size_of_batch(len(due), cores, submissions)
    whole: list[list[str]] = []
    names: dict[str, str] = {}
    divided = parts = 0
    for run in _runs(due):
        if len(run) <= WHOLE * max(size, LEAST * cores):
            whole.append(run)
            continue
        # Whoever is waited for; the others of a run wait for them.
        controls = {control for sample in run for control in due[sample]} & {*run}
        divided += 1
        names |= dict.fromkeys(sorted(controls), f"controls_{divided}")
        for part in _evenly(sorted({*run} - controls, key=lambda one: (sorted(due[one]), one)), size):
            parts += 1
            names |= dict.fromkeys(part, f"samples_{parts}")
    for number, batch in enumerate(_filled(whole, size), 1):
        names |= dict.fromkeys(batch, f"runs_{number}")
    return names


def _runs(due: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Return the samples that share a control which is due too, each with the controls; alone if it waits for none."""
    head = {sample: sample for sample in due}

    def find(sample: str) -> str:
        while head[sample] != sample:
            head[sample] = sample = head[head[sample]]
        return sample

    for sample, controls in due.items():
        for control in controls:
            if control in head:
                head[find(sample)] = find(control)
    runs = defaultdict(list)
    for sample in sorted(due):
        runs[find(sample)].append(sample)
    return sorted(runs.values())


def _evenly(samples: Sequence[str], size: int) -> list[Sequence[str]]:
    """Return the samples in as few parts of ``size`` as there can be, all about as large."""
    count = ceil(len(samples) / size)
    edges = [len(samples) * number // count for number in range(count + 1)]
    return [samples[first:last] for first, last in zip(edges, edges[1:], strict=False)]


def _filled(runs: list[list[str]], size: int) -> list[list[str]]:
    """Return runs put together to batches of about ``size``: the largest first, each where there is most room."""
    filled: list[list[str]] = [[] for _ in range(ceil(sum(map(len, runs)) / size))]
    for run in sorted(runs, key=lambda run: (-len(run), run)):
        min(filled, key=len).extend(run)
    return [batch for batch in filled if batch]
