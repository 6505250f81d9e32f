"""The limits of what comes before the target: scales, acquisition and gates."""

from typing import Annotated

from msgspec import Struct

from cd40l_flow.assay.limit import limit

# fmt: off


class ScaleLimits(Struct, frozen=True):
    """The logicle scale, one for each detector and run."""

    decades: Annotated[float, limit(
        "Width of the display (the M of logicle). A detector of more than 2^18 channels whose background would be "
        "hidden in the linear part gets more, as many as its range is wider.", "decades",
        source="customary logicle setting (Parks 2006, doi 10.1002/cyto.a.20258)", ge=2, le=8)] = 4.5
    linear_decades: Annotated[float, limit(
        "Smallest width of the linear part around zero (the W of logicle); it is widened where the background of the "
        "detector is wider, so that the background keeps one mode.", "decades",
        source="customary logicle setting (Parks 2006, doi 10.1002/cyto.a.20258)", ge=0, le=2)] = 0.5
    top: Annotated[float | None, limit(
        "Top of the scale (the T of logicle); null takes the largest value the file can hold.", "linear channel units",
        source="the file's $PnR", gt=0)] = None


class AcquisitionLimits(Struct, frozen=True):
    """Quality of the acquisition of one tube."""

    margin_warn_percent: Annotated[float, limit(
        "Events on the edge of a detector above which the tube gets a warning.", "percent of events", ge=0, le=100)] = 1
    margin_fail_percent: Annotated[float, limit(
        "Events on the edge of the target detector above which its acquisition has failed.", "percent of events", ge=0,
        le=100)] = 5
    removed_warn_percent: Annotated[float, limit(
        "Events removed by the time gate above which the tube gets a warning (ACQ_QC).", "percent of events",
        source="the share from which PeacoQC draws a file for inspection; default, not validated for this assay", ge=0,
        le=100)] = 20
    removed_hard_percent: Annotated[float, limit(
        "Events removed by the time gate above which no call is made (ACQ_QC).", "percent of events", ge=0,
        le=100)] = 50
    shift_points: Annotated[float, limit(
        "How far an interval of the acquisition may shift from the rest in FSC, SSC, CD3, CD8, CD69, CD4 or viability "
        "before it is removed: the difference of the mean percentile of its events.", "percentile points",
        source="default, not validated (a gain halved shifts 15 to 40 points)", le=50, gt=0)] = 15
    drift_points: Annotated[float, limit(
        "Drift of a signal over the kept part of an acquisition above which the tube gets a warning (ACQ_QC).",
        "percentile points", le=50, gt=0)] = 10
    burst_factor: Annotated[float, limit(
        "Flow rate above which events are removed as a burst (air bubble, pressure shock).", "times the usual rate",
        ge=1)] = 3
    change_points: Annotated[float, limit(
        "Change of a gate's percent of parent by the time gate above which the sample gets a warning (ACQ_QC).",
        "percentage points", ge=0, le=100)] = 5
    stop_s: Annotated[float, limit(
        "Time without events from which the flow counts as stopped.", "seconds", gt=0)] = 1


class GatingLimits(Struct, frozen=True):
    """The gates from all events to activated CD4 T cells."""

    min_events: Annotated[int, limit(
        "Events a population needs for a boundary; with fewer the boundary comes from the sample's other tubes or its "
        "controls.", "events", ge=1)] = 200
    cd69_unstimulated_max_percent: Annotated[float, limit(
        "Cells of the unstimulated tube that may lie above the CD69 boundary, which sets it.",
        "percent of CD3+CD8- cells", le=50, gt=0)] = 2.0
    cd4_gate: Annotated[bool, limit(
        "Gates CD4+ cells before CD69 (CD3+CD8-CD4+), for assays that leave CD4 on the surface; PMA removes it, so "
        "that the activated cells would be lost.", "true or false",
        source="CD4 is lost on activation by PMA (Kemp 2001)")] = False
    lymphocytes_distance_max: Annotated[float, limit(
        "Distance of the middle of the lymphocyte gate from that of the control's, in FSC or SSC, above which the "
        "gate is flagged.", "percent of the control's", ge=0)] = 25
    viability_distance_max: Annotated[float, limit(
        "Distance of the viability boundary from the control's above which it is flagged.",
        "of the scale, whose length is 1", ge=0, le=1)] = 0.15
    cd3_distance_max: Annotated[float, limit(
        "Distance of the CD3 boundary from the control's above which it is flagged.", "of the scale, whose length is 1",
        ge=0, le=1)] = 0.12
    cd8_distance_max: Annotated[float, limit(
        "Distance of the CD8 boundary from the control's above which it is flagged.", "of the scale, whose length is 1",
        ge=0, le=1)] = 0.1
    cd4_distance_max: Annotated[float, limit(
        "Distance of the CD4 boundary from the control's above which it is flagged.", "of the scale, whose length is 1",
        ge=0, le=1)] = 0.12
    cd69_distance_max: Annotated[float, limit(
        "Distance of the CD69 boundary from the control's above which it is flagged.",
        "of the scale, whose length is 1", ge=0, le=1)] = 0.15
    cd19_distance_max: Annotated[float, limit(
        "Distance of the CD19 boundary from the control's above which it is flagged.",
        "of the scale, whose length is 1", ge=0, le=1)] = 0.12
    igd_distance_max: Annotated[float, limit(
        "Distance of the IgD boundary from the control's above which it is flagged.",
        "of the scale, whose length is 1", ge=0, le=1)] = 0.12
    igm_distance_max: Annotated[float, limit(
        "Distance of the IgM boundary from the control's above which it is flagged.",
        "of the scale, whose length is 1", ge=0, le=1)] = 0.12
    cd27_distance_max: Annotated[float, limit(
        "Distance of the CD27 boundary from the control's above which it is flagged.",
        "of the scale, whose length is 1", ge=0, le=1)] = 0.12
    cd38_distance_max: Annotated[float, limit(
        "Distance of the CD38 boundary from the control's above which it is flagged.",
        "of the scale, whose length is 1", ge=0, le=1)] = 0.15
    cd14_distance_max: Annotated[float, limit(
        "Distance of the CD14 boundary from the control's above which it is flagged.",
        "of the scale, whose length is 1", ge=0, le=1)] = 0.15
    singlets_warn_percent: Annotated[float, limit(
        "Singlets below which the tube gets a warning.", "percent of lymphocytes", ge=0, le=100)] = 80
    viable_warn_percent: Annotated[float, limit(
        "Viable cells below which the tube gets a warning.", "percent of single lymphocytes",
        source="default, not validated (accreditation asks for a policy, not for a limit: CAP FLO.30610)", ge=0,
        le=100)] = 70
    cd3_warn_percent: Annotated[float, limit(
        "CD3+ cells below which the tube gets a warning.", "percent of lymphocytes", ge=0, le=100)] = 20
    tube_delta_points: Annotated[float, limit(
        "Difference of the CD3+ percent of lymphocytes or the CD8- percent of CD3+ cells between two tubes of a "
        "sample from which they count as two donors' (ID_CONFLICT), beyond counting error; twice this (CD3+) and 1.25 "
        "times (CD8-) between stimulated and unstimulated.", "percentage points", ge=0, le=100)] = 6
    tube_delta_percent: Annotated[float, limit(
        "Difference of the median scatter of CD3+ cells between two tubes of a sample from which they count as two "
        "donors' (ID_CONFLICT).", "percent of the smaller one", ge=0)] = 15
