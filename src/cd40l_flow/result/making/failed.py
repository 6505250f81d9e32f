"""The result of a sample whose analysis crashed, was killed or is of other inputs: no call, nothing measured, and why.

It is put together from the job alone, so that no fault of the analysis can be a fault of it too.
"""

from __future__ import annotations

import json
from pathlib import Path

from cd40l_flow import ENGINE_VERSION
from cd40l_flow.assay.effects import INDETERMINATE
from cd40l_flow.assay.lookup import assay_named, using
from cd40l_flow.base.model import Arrays, Tube
from cd40l_flow.cohort.ages import age_band
from cd40l_flow.cohort.job import PlannedJob
from cd40l_flow.result.codes import undecided_codes
from cd40l_flow.result.making.gating import unread_tube
from cd40l_flow.result.making.sample import configuration, metadata
from cd40l_flow.result.record import SCHEMA_VERSION
from cd40l_flow.result.types.acquisition import Acquisition
from cd40l_flow.result.types.control import Control
from cd40l_flow.result.types.decision import Guard, Message, Odds, Subcall
from cd40l_flow.result.types.plain import finished
from cd40l_flow.result.types.result import Inputs, Result
from cd40l_flow.result.types.tubes import TubeError

CODE = "ANALYSIS_FAILED"
FAILURES = "failures.tsv"
_TEST = ("The analysis of this sample failed: nothing was measured and no call can be made.", "Run the workflow again.")
_CONTROL = ("The analysis of this control failed: its run cannot be called.", "Run the workflow again.")


def failed_result(planned: PlannedJob, why: str) -> Result:
    """Return the result of a sample that has none of its own; ``why`` is included, and must name no person."""
    job = planned.job
    sample = job.sample
    message = f"{sample.sample}: {why}"
    control = sample.role == "control"
    assay = assay_named(sample.assay)
    reagents = [name for name in assay.targets if any(_measures(tube, name) for tube in sample.tubes)]
    with using(assay):
        coded = undecided_codes()
    guard = Guard(code=CODE, reagent=None, fired=True, effect="hard", value=None, limit=None, unit="", message=message)
    return finished(
        Result(
            digest=None,
            densities=None,
            schema_version=SCHEMA_VERSION,
            engine_version=ENGINE_VERSION,
            sample=sample.sample,
            assay=sample.assay,
            subject=sample.subject,
            run=sample.run,
            role=sample.role,
            sex=sample.sex,
            family=sample.family,
            age_band=age_band(sample.age_years),
            controls=list(job.controls),
            reference=None,
            metadata=metadata(sample),
            configuration=configuration(job.settings),
            inputs=Inputs(job=planned.digest, files={}, controls={}),
            call=INDETERMINATE,
            pattern=INDETERMINATE,
            reasons=[CODE],
            qc="fail",
            subcalls={name: Subcall(call=INDETERMINATE, reasons=[CODE]) for name in reagents},
            statement=list(_CONTROL if control else _TEST),
            codes=coded,
            would_change=[],
            guards=[guard],
            odds=Odds(joint={}, binding_ratio=None),
            rules=[],
            activated_events=None,
            cd69_percent=None,
            tubes=[unread_tube(tube, TubeError(code=CODE, message=message)) for tube in sample.tubes],
            acquisition=Acquisition(tubes=[], uncut=None),
            compensation=[],
            replicates=[],
            gates=[],
            scales={},
            reagents={},
            memory=None,
            cd40=None,
            messages=[Message(code=CODE, severity="error", tube=None, text=message)],
            lent=_control(sample.sample, why) if control else None,
        )
    )


def no_densities() -> Arrays:
    """Return the arrays of the figures of a sample of which there is nothing to draw."""
    import numpy as np

    index: dict[str, object] = {"activation": None, "targets": [], "tubes": []}
    return {"pictures": np.empty(0, dtype=np.uint8), "index": np.array(json.dumps(index, sort_keys=True))}


def is_failed(result: Result) -> bool:
    """Return whether a result only says that the analysis failed."""
    return CODE in result.reasons


def note_failure(folder: Path, step: str, why: str) -> None:
    """Add a line to the failures of a sample, in its folder: the next run tries a step again whose lines have grown."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / FAILURES).open("a", encoding="utf-8") as file:
        file.write(f"{step}\t{' '.join(why.split())}\n")


def failures(folder: Path) -> list[tuple[str, str]]:
    """Return the failures of a sample's steps so far, (step, why), the most recent last."""
    try:
        lines = (folder / FAILURES).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    parts = [line.partition("\t") for line in lines]
    return [(step, why) for step, _, why in parts]


def write_failed_report(path: Path, sample: str, why: str) -> None:
    """Write the page that replaces a report that could not be made; it shows no call."""
    from html import escape

    from cd40l_flow.base.disk import write_atomically

    sentence = f"The report of sample {sample} could not be made: {why}"
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>No report</title></head>\n'
        f"<body><h1>No report of {escape(sample)}</h1><p>{escape(sentence)}</p>"
        "<p>Its result is in summary.tsv and result.json. Run the workflow again.</p></body></html>\n"
    )
    write_atomically(path, page)


def _measures(tube: Tube, reagent: str) -> bool:
    return tube.reagent == reagent and tube.stimulation == "stimulated"


def _control(sample: str, why: str) -> Control:
    return Control(
        reagents={},
        activation_percent={},
        failures=[f"Control {sample}: {why}"],
        reagent_failures={},
        scatter_tops=(1.0, 1.0),
        gates={},
    )
