"""The steps of the analysis for notebooks: read, gate, fit, call, report.

``import cd40l_flow.api as cd``. Each function calls the stage that the workflow uses, with the limits of the
configuration or their defaults; nothing is computed here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from msgspec import structs
from numpy.typing import ArrayLike

from cd40l_flow.assay.limits import Limits
from cd40l_flow.assay.lookup import assay_named, assay_of_reagent, current_assay, using
from cd40l_flow.assay.tables import TARGET
from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.base.model import Arrays, Events, Floats, Override, Sample, Tube
from cd40l_flow.cohort.job import planned
from cd40l_flow.cohort.plan import Plan, load_plan
from cd40l_flow.cohort.settings import Job
from cd40l_flow.decision.assess import cells
from cd40l_flow.fcs.reader import read_events
from cd40l_flow.figures.densities import write_densities
from cd40l_flow.gating.model import GatedSample
from cd40l_flow.gating.strategy import gate as gate_sample
from cd40l_flow.mixture.histogram import histogram
from cd40l_flow.mixture.measures import TargetCells
from cd40l_flow.mixture.measures import fit as measure
from cd40l_flow.mixture.model import Anchor, Expression
from cd40l_flow.report.provenance import provenance
from cd40l_flow.report.sample import write_report
from cd40l_flow.result.made_from import made_from
from cd40l_flow.result.record import write_record
from cd40l_flow.result.types.result import Result
from cd40l_flow.signal.compensation import compensate
from cd40l_flow.signal.prepare import choose_scales, prepare
from cd40l_flow.signal.scale import Scale, choose_scale, robust_sd
from cd40l_flow.steps import analyse_sample

__all__ = ["Called", "Limits", "call", "fit", "gate", "read", "report", "target_cells"]


@dataclass(frozen=True)
class Called:
    """A sample that was called: ``result`` is what the workflow writes as ``result.json``, ``arrays`` are those of the
    figures, ``controls`` those it was compared with.
    """

    result: Result
    arrays: Arrays
    controls: tuple[Called, ...] = ()


def read(
    path: str | Path,
    *,
    reagent: str = "CD154",
    stimulation: str | None = None,
    detectors: Mapping[str, str] | None = None,
    spillover: str = "file",
) -> Events:
    """Return the events of one FCS file, compensated, linear; ``reagent`` names the assay whose markers are searched.

    ``stimulation`` is ``stimulated`` by default, ``unstimulated`` for a reagent of an assay that stimulates no cells.
    ``detectors`` names those of markers without a label, as ``{"CD3": "APC-H7-A"}``; a background tube (``isotype``,
    ``FMO``, ``secondary``) always needs that of its ``target``. ``spillover`` is ``file``, ``none`` or the path of a
    CSV file. Raises TubeError for a file that cannot be used.
    """
    panel = {marker: {"detector": name} for marker, name in dict(detectors or {}).items()}
    with using(assay_of_reagent(reagent)):
        stimulation = stimulation or _usual_stimulation()
        tube = Tube(fcs=Path(path).name, path=str(path), stimulation=stimulation, reagent=reagent)
        return compensate(read_events(tube, panel, spillover), reuse=True)


def gate(
    tubes: Sequence[Events],
    *,
    name: str = "sample",
    overrides: Sequence[Override] = (),
    limits: Limits | None = None,
) -> GatedSample:
    """Return the tubes of one sample gated on a scale chosen from the tubes themselves, by the gates of their assay:
    to activated CD4+ T cells, or to the B cells of the assays ``memory_b`` and ``cd40``.

    Boundaries are found on all tubes together; the CD69 boundary needs an unstimulated one. (In a run of the workflow
    scale and missing boundaries come from the controls.) ``overrides`` are boundaries set by hand.
    Raises Cd40lFlowError for tubes of several assays.
    """
    limits = limits or Limits()
    assays = sorted({assay_of_reagent(events.tube.reagent).name for events in tubes})
    if len(assays) > 1:
        raise Cd40lFlowError(f"gate: tubes of the assays {', '.join(assays)}. Give those of one sample of one assay.")
    assay = assay_named(assays[0]) if assays else current_assay()
    sample = Sample(name, "run", "test", "unknown", tuple(events.tube for events in tubes), assay=assay.name)
    with using(assay):
        scales = choose_scales(tubes, limits.scale, "own tubes")
        signals = [prepare(events, scales, limits.acquisition) for events in tubes]
        return gate_sample(sample, signals, scales, overrides, limits.gating)


def target_cells(
    gated: GatedSample, reagent: str, population: str = "CD3+CD8-CD69+", stimulation: str | None = None
) -> Floats:
    """Return the target of one population in the tubes of a reagent, (cells,), compensated linear channel values.

    ``stimulation`` as in `read`. Raises Cd40lFlowError for an assay that has no target (``memory_b``).
    """
    with using(assay_named(gated.sample.assay)):
        if TARGET not in current_assay().marker_names:
            raise Cd40lFlowError(f"target_cells: the assay {gated.sample.assay} has no target; take `tube.linear`.")
        stimulation = stimulation or _usual_stimulation()
        tubes = [tube for tube in gated.tubes if _of(tube.signal.events) == (stimulation, reagent)]
        return cells(tubes, population)


def fit(
    activated: ArrayLike,
    background: ArrayLike,
    *,
    scale: Scale | None = None,
    limits: Limits | None = None,
) -> Expression:
    """Return what is measured of a target: percent positive, MFI, and the share of cells that do not express it.

    ``activated`` are the target's values of the cells in question, (n,), ``background`` those of the same cells without
    the stain (isotype, FMO, secondary), (m,), both compensated linear channel values. ``scale`` is the detector's in
    `gate`'s result; without one it is chosen from the values. No control gives its shape here. Raises Cd40lFlowError.
    """
    limits = limits or Limits()
    values, dark = np.asarray(activated, dtype=np.float64), np.asarray(background, dtype=np.float64)
    for what, array in (("activated", values), ("background", dark)):
        if array.ndim != 1 or array.size == 0 or not np.isfinite(array).all():
            raise Cd40lFlowError(
                f"fit: {what} is an array of shape {array.shape}. Give one finite value for each of its cells."
            )
    if scale is None:
        both = np.concatenate((values, dark))
        scale = choose_scale(float(both.max()), both, robust_sd(dark), limits.scale, "values")
    anchor = Anchor(histogram(scale.forward(dark), limits.mixture.bins), "background", (), exact=True)
    return measure(TargetCells(values, np.empty(0)), anchor, scale, limits)


def call(configfile: str | Path, sample: str, *, directory: str | Path = ".") -> Called:
    """Return one sample of the sheets analysed with its controls, as the workflow does it, bit for bit.

    Paths of the configuration start at ``directory``. Raises InputsError for mistakes in sheets or configuration.
    """
    path = Path(configfile).resolve()
    with chdir(directory):
        here = Path.cwd()
        plan = load_plan(path.relative_to(here) if path.is_relative_to(here) else path)
        if sample not in plan.samples:
            raise Cd40lFlowError(
                f"{plan.config.samples}: there is no sample {sample}. It has {', '.join(list(plan.samples)[:10])}."
            )
        return _call(sample, plan)


def report(called: Called, out: str | Path) -> Path:
    """Write the report of a called sample, one HTML file that opens offline; return its path."""
    with TemporaryDirectory() as folder:
        subject = _written(called, Path(folder) / "sample")
        controls = [
            _written(control, Path(folder) / f"control{number}") for number, control in enumerate(called.controls)
        ]
        write_report(*subject, controls, os.fspath(out), provenance())
    return Path(out)


def _usual_stimulation() -> str:
    """Return the stimulation of the current assay's stained tubes."""
    return "stimulated" if current_assay().stimulated else "unstimulated"


def _of(events: Events) -> tuple[str, str]:
    return events.tube.stimulation, events.tube.reagent


def _call(sample: str, plan: Plan) -> Called:
    job = plan.job(sample)
    controls = tuple(_analysed(plan.job(name), ()) for name in sorted(job.controls))
    # A control is measured together with the others of its run; their results are only shown with it.
    return replace(_analysed(job, () if job.sample.role == "control" else controls), controls=controls)


def _analysed(job: Job, controls: Sequence[Called]) -> Called:
    theirs = {str(control.result.sample): control.result for control in controls}
    result, arrays = analyse_sample(job, theirs)
    return Called(structs.replace(result, inputs=made_from(planned(job), result, theirs.values())), arrays)


def _written(called: Called, folder: Path) -> tuple[Path, Path]:
    result, densities = folder / "result.json", folder / "densities.npz"
    folder.mkdir()
    write_record(structs.replace(called.result, densities=write_densities(called.arrays, densities)), result)
    return result, densities
