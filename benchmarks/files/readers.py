"""One FCS reader applied to files, in a process of its own: ``python readers.py READER TASK FILE...``.

Prints one JSON object a line. Needs no package but the reader's, so that any Python that has it can run it. Task
``means`` gives events and channel means of the stored values; ``time`` the seconds of reading and checking one file
several times (the import aside), after one run that warms the file's pages.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np

REPEATS = 5
# Of 14 detectors, what a panel of four markers, a matrix of eight, scatter and time need.
NEEDED = (0, 1, 2, 3, 4, 5, 6)


def flowio(path: str) -> np.ndarray:
    from flowio import FlowData

    return FlowData(path).as_array(preprocess=False)


def flowio_relaxed(path: str) -> np.ndarray:
    from flowio import FlowData

    return FlowData(path, ignore_offset_error=True, ignore_offset_discrepancy=True).as_array(preprocess=False)


def flowkit(path: str) -> np.ndarray:
    from flowkit import Sample

    return Sample(path, preprocess=False).get_events(source="raw")


def fcsparser(path: str) -> np.ndarray:
    import fcsparser as package

    return package.parse(path)[1].to_numpy()


def flowcal(path: str) -> np.ndarray:
    from FlowCal.io import FCSData

    return np.asarray(FCSData(path))


def own(path: str) -> np.ndarray:
    from cd40l_flow.fcs.reader import open_recording

    recording = open_recording(path)
    return recording.stored(range(len(recording.header.detectors)))


READERS: dict[str, tuple[str, Callable[[str], np.ndarray]]] = {
    "cd40l-flow": ("cd40l-flow", own),
    "FlowIO": ("FlowIO", flowio),
    "FlowIO, relaxed": ("FlowIO", flowio_relaxed),
    "FlowKit": ("FlowKit", flowkit),
    "fcsparser": ("fcsparser", fcsparser),
    "FlowCal": ("FlowCal", flowcal),
}


def means(reader: str, path: str) -> dict[str, object]:
    if reader == "cd40l-flow":
        from cd40l_flow.fcs.inspect import inspect_file

        shown = inspect_file(path).as_dict()
        if shown["status"] == "refused":
            return {"error": shown["error"]["code"]}
        return {"events": shown["events"], "means": [each["mean"] for each in shown["detectors"]]}
    try:
        values = READERS[reader][1](path)
        return {"events": len(values), "means": [float(mean) for mean in np.asarray(values, np.float64).mean(axis=0)]}
    except Exception as error:  # noqa: BLE001 - whatever a reader raises is its answer
        return {"error": type(error).__name__}


def plain(path: str) -> None:
    """Read the bytes and check them: what no reader of all values can do without."""
    with Path(path).open("rb") as handle:
        start = int(handle.read(58)[18:26]) + 1
    values = np.fromfile(path, "<f4", offset=start).reshape(-1, 14)
    np.isfinite(values).all()
    values.mean(axis=0)


def scan(path: str) -> None:
    from cd40l_flow.fcs.reader import open_recording

    open_recording(path).columns()


def everything(path: str) -> None:
    own(path)


def needed(path: str) -> None:
    from cd40l_flow.fcs.reader import open_recording

    open_recording(path).stored(NEEDED)


def timed(jobs: dict[str, Callable[[str], object]], path: str) -> dict[str, float]:
    """Return the best seconds of each job, the jobs taking turns so that none has the quiet hours to itself."""
    best = dict.fromkeys(jobs, float("inf"))
    for _ in range(1 if len(jobs) == 1 else REPEATS):
        for name, job in jobs.items():
            start = time.perf_counter()
            job(path)
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def peak_mb() -> float:
    """Return the peak memory of this process: what the system reports to its parent may be the parent's own."""
    with Path("/proc/self/status").open() as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


def main() -> None:
    reader, task, *paths = sys.argv[1:]
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    print(json.dumps({"version": version(READERS[reader][0]), "numpy": np.__version__}), flush=True)
    if task == "means":
        for path in paths:
            print(json.dumps(means(reader, path)), flush=True)
    elif task == "inspect":
        from cd40l_flow.cli.main import main as command

        command(["inspect", "--json", paths[0]])
        print(json.dumps({"peak_mb": peak_mb()}))
    elif task == "beside":
        jobs: dict[str, Callable[[str], object]] = {"plain": plain, "scan": scan, "needed": needed, "all": everything}
        for job in jobs.values():
            job(paths[0])
        print(json.dumps(timed(jobs, paths[0])))
    else:
        print(json.dumps(timed({reader: READERS[reader][1]}, paths[0]) | {"peak_mb": peak_mb()}))


if __name__ == "__main__":
    main()
