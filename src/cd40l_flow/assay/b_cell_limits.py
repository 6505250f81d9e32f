"""The limits of the assays of B cells, and the laboratory's limits of serum immunoglobulins."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Annotated, NewType

from msgspec import Struct

from cd40l_flow.assay.limit import limit

# "from: low-high" each: from an age in years on, the limits of a healthy person.
AgeRows = NewType("AgeRows", tuple[str, ...])
AGE_ROW = r"^\s*(\d+(?:\.\d+)?)\s*:\s*(\d+(?:\.\d+)?)\s*-\s*(\d+(?:\.\d+)?)\s*$"


def age_rows(rows: Sequence[str]) -> list[tuple[float, float, float]]:
    """Return rows as age in years, lower and upper limit, by age; they have passed the pattern."""
    matches = [re.fullmatch(AGE_ROW, row) for row in rows]
    return sorted((float(m[1]), float(m[2]), float(m[3])) for m in matches if m is not None)


def age_row_faults(rows: Sequence[str]) -> Iterator[str]:
    """Yield in words what the pattern of the rows cannot express."""
    found = age_rows(rows)
    for age, low, high in found:
        if low > high:
            yield f"from {age:g} years on the lower limit {low:g} exceeds the upper one, {high:g}."
    for (age, *_), (following, *_) in pairwise(found):
        if age == following:
            yield f"there are two rows from {age:g} years on."


# fmt: off


class BCellLimits(Struct, frozen=True):
    """Conditions of the assays of B cells: class-switched memory, and CD40."""

    b_events_min: Annotated[int, limit(
        "B cells below which no call is made (TOO_FEW_B).", "CD3-CD19+ events",
        source="default, not validated (none of 200 seen: up to 1.9 %)", ge=1)] = 200
    b_events_few: Annotated[int, limit(
        "B cells below which the report says that they are few (TOO_FEW_B).", "CD3-CD19+ events",
        source="default, not validated (none of 1,000 seen: up to 0.38 %)", ge=1)] = 1000
    b_percent_min: Annotated[float, limit(
        "B cells below which their subsets are not called (B_ABSENT).", "percent of lymphocytes",
        source="EUROclass 2008 (B-: at most 1 %)", ge=0, le=100)] = 1
    igd_negative_max: Annotated[float, limit(
        "IgD- cells among CD27- B cells above which serum immunoglobulin was not washed off (SERUM_IG).",
        "percent of CD27- B cells", ge=0, le=100)] = 30
    ig_of_control_min: Annotated[float, limit(
        "Median IgD and IgM of CD27- B cells, each over the controls', below which both mean that serum "
        "immunoglobulin was not washed off (SERUM_IG).", "ratio", ge=0, le=1)] = 0.55
    ig_mean_of_control_min: Annotated[float, limit(
        "The same of the geometric mean of both, where one is lost more than the other (SERUM_IG).", "ratio", ge=0,
        le=1)] = 0.33
    igd_separation_min: Annotated[float, limit(
        "Distance of IgD+ from IgD- cells among CD27- B cells that shows, where no control does, that serum "
        "immunoglobulin was washed off (SERUM_IG).", "Ashman's D", ge=0)] = 2
    cd27_separation_min: Annotated[float, limit(
        "Distance of CD27+ from CD27- B cells below which they cannot be told apart (LOW_SEPARATION).", "Ashman's D",
        ge=0)] = 1.2
    cd3_percent_max: Annotated[float, limit(
        "CD3+ cells among CD19+ cells above which doublets with T cells may pass for memory (DOUBLETS).",
        "percent of CD19+ cells", ge=0, le=100)] = 3
    transitional_max: Annotated[float, limit(
        "Transitional B cells above which B cells are coming back after depletion, unless the sheet says that there "
        "was none (ANTI_CD20).", "percent of B cells", ge=0, le=100)] = 40
    cd38_of_control_max: Annotated[float, limit(
        "Median CD38 of CD27-IgD+ B cells over the controls' above which most are transitional, which bear many times "
        "as much, so that B cells are coming back after depletion, unless the sheet says that there was none "
        "(ANTI_CD20).", "ratio", source="default, not validated (transitional cells 5, simulated people at most 1.7)",
        gt=1)] = 2.5
    switched_z_max: Annotated[float, limit(
        "Lower 95 % end of the switched share, as SD from the mean of its age, above which no healthy person lies, and "
        "the share is no SWITCHED_NORMAL (PLASMABLASTS).", "SD of the logit", source="one healthy person in 700 lies "
        "above; a clone or an infection may hide that others are few; default, not validated", gt=0)] = 3
    age_call_min: Annotated[float, limit(
        "Age below which switched cells are not called (AGE_TOO_YOUNG).", "months",
        source="the published table begins there", ge=0)] = 2
    age_low_min: Annotated[float, limit(
        "Age below which neither SWITCHED_LOW nor SWITCHED_ABSENT is called (AGE_TOO_YOUNG).", "months",
        source="default, not validated (lower limits of 0 to 2 % before)", ge=0)] = 9
    absent_max: Annotated[float, limit(
        "Upper 95 % bound of the share that SWITCHED_ABSENT must stay below at any age.", "percent of B cells",
        source="default, not validated (every healthy adult above 0.5 %)", ge=0, le=100)] = 0.5
    absent_of_limit: Annotated[float, limit(
        "The same as a part of the lower limit of the age, where that is more.", "fraction of the limit", ge=0,
        le=1)] = 0.1
    interval_part: Annotated[float, limit(
        "Part of each half of the 95 % interval of a switched share that must clear a limit: each call depends "
        "on one end only, and 0.84 is the one-sided 95 % bound; 1 is the end of the interval.",
        "fraction of the half interval", source="1.645 / 1.960; counted without error, 97.9 % of plain people get the "
        "call of their share, with 1 96.5 %", gt=0, le=1)] = 0.84
    switched_part_min: Annotated[float, limit(
        "Part of the lower limit of the age below which IgM- cells are SWITCHED_LOW whatever IgM-only cells add: of "
        "the CD27+IgD- cells of healthy people, which the published limits count, more are IgM-.",
        "fraction of the limit", ge=0, le=1)] = 0.7
    igm_only_points: Annotated[float, limit(
        "What IgM-only cells may add to CD27+IgD- cells: without IgM, SWITCHED_NORMAL must hold without them.",
        "percent of B cells", ge=0, le=100)] = 5
    igm_only_level_min: Annotated[float, limit(
        "IgM of IgM-only cells over that of CD27- B cells, medians, from which they have IgM of their own: so "
        "SWITCHED_ABSENT holds however many they are.", "ratio", source="default, not validated", ge=0)] = 0.5
    control_z_max: Annotated[float, limit(
        "Distance of a control's switched share from the mean of its age beyond which it fails (CONTROL_FAILED).",
        "SD of the logit", gt=0)] = 3
    cd27_shift_max: Annotated[float, limit(
        "Median CD27 of naive B cells over the controls', either way, beyond which CD27 was stained or measured in "
        "another way (CONTROL_FAILED).", "ratio", gt=1)] = 3
    cd27_of_t_min: Annotated[float, limit(
        "CD27 of T cells over that of naive B cells, 75th percentile and median, below which the memory tube was not "
        "stained for CD27 (STAIN_FAILED).", "robust SD of naive B cells",
        source="most T cells have CD27, naive B cells none; unstained cells lie about 1 apart; default, not validated",
        ge=0)] = 2
    cd27_dependence_max: Annotated[float, limit(
        "How far CD27 may move with IgM or IgD in B cells without CD27, up to the usual amount of these, either way: "
        "more is spillover that was left, or taken out twice (NO_COMP).", "robust SD of CD27",
        source="cells without immunoglobulin, as switched ones, lie so far from those that fix CD27-; default, not "
        "validated", gt=0)] = 1
    cd27_of_igd_negative_min: Annotated[float, limit(
        "CD27 of CD27+IgD- cells over that of CD27+IgD+ ones, below which they may be CD27- cells with a higher "
        "background, so that SWITCHED_NORMAL is not called (LOW_SEPARATION).", "ratio",
        source="1.2 and 2.1 in two real recordings, at least 0.6 in simulated healthy people, 0.2 in such cells; "
        "default, not validated", ge=0)] = 0.4
    replicate_apart_max: Annotated[float, limit(
        "How much likelier B cells of one replicate may be switched, or be among the dimmer half in CD40, than those "
        "of the others, either way (REPLICATE_DISCORDANT).", "natural logarithm of the odds ratio",
        source="a tenth more or less antibody shifts the half by 0.6; default, not validated", gt=0)] = 1.5
    sticking_max: Annotated[float, limit(
        "CD27+IgD+ cells with less than 0.7 of the IgD and of the IgM of naive ones, more than naive cells would have, "
        "beyond which the stains of IgD and IgM stick to switched cells, so that these are not called few (SERUM_IG; "
        "three standard errors of counting at least).", "percent of B cells",
        source="memory cells that did not switch have less IgD but more IgM than naive ones; at most 1.4 in simulated "
        "people and patients of 200 cells or more, 3.6 to 16 where both stick; default, not validated",
        ge=0, le=100)] = 2
    collected_max_h: Annotated[float, limit(
        "Time from collection to staining above which memory B cells are not called (SAMPLE_AGE).", "hours",
        source="ARUP 2008901 and Mayo RBCS: 48 h", ge=0)] = 48
    cd40_collected_max_h: Annotated[float, limit(
        "The same for CD40 (SAMPLE_AGE).", "hours", source="Mayo CD40: 72 h", ge=0)] = 72
    cd40_absent_ratio_max: Annotated[float, limit(
        "Upper end of the 95 % interval of CD40 over the controls' that CD40_ABSENT stays below.", "ratio",
        ge=0)] = 0.1
    cd40_absent_positive_max: Annotated[float, limit(
        "Upper end of the 95 % interval of CD40-positive cells that CD40_ABSENT stays below.", "percent of the cells",
        ge=0, le=100)] = 5
    cd40_low_ratio_max: Annotated[float, limit(
        "CD40 over the controls' that separates CD40_LOW from PRESENT.", "ratio", ge=0)] = 0.4
    cd40_tube_cv: Annotated[float, limit(
        "Variation of the CD40 level between two tubes of one blood sample, by pipetting and staining; included in the "
        "interval of the ratio.", "coefficient of variation", ge=0)] = 0.1
    cd40_two_kinds_min: Annotated[float, limit(
        "Share of cells without CD40, and of cells with it, from which both populations are present (TWO_POPULATIONS).",
        "fraction of the cells", ge=0, le=0.5)] = 0.05
    cd40_low_tail_min: Annotated[float, limit(
        "CD40 of the dimmest tenth of the B cells over the median, divided by the same of the controls, below which a "
        "part of the cells has less CD40 (TWO_POPULATIONS).", "ratio of ratios",
        source="0.96 in simulated people at half the level, 0.45 where a quarter of the cells has a quarter of it; "
        "default, not validated", gt=0, le=1)] = 0.6
    cd40_monocytes_min: Annotated[int, limit(
        "Monocytes below which they are not called.", "CD14+ events", ge=1)] = 200
    cd40_control_positive_min: Annotated[float, limit(
        "CD40-positive B cells of a control below which it has failed (CONTROL_FAILED).", "percent of B cells", ge=0,
        le=100)] = 75
    cd40_t_cells_shift_min: Annotated[float, limit(
        "How far the T cells of the CD40 tube, which carry no CD40, may lie below those of the isotype tube, beyond "
        "the same of the controls; lower ones were not stained, or the isotype sticks (STAIN_FAILED).",
        "robust SD of the T cells", source="reagents of one day stick to all T cells alike, and stains differ by a "
        "tenth, a tenth of an SD between two people where half the T cells' light is what sticks; simulated people "
        "0.1, unstained tubes -0.5; default, not validated", le=0)] = -0.3
    cd40_background_ratio_max: Annotated[float, limit(
        "Width of the T cells in CD40's detector over the controls', either way, beyond which the gain was another one "
        "if the files state no voltage (GAIN_MISMATCH).", "ratio of robust SD", source="up to a gain of 1.4 no level "
        "below cd40_low_ratio_max reaches it with its interval, at 1.5 one of 0.37 would; simulated people 0.86 to "
        "1.14; default, not validated", gt=1)] = 1.5
    cd40_background_excess_max: Annotated[float, limit(
        "How far the isotype's median may lie above the controls'; beyond, CD40_LOW and CD40_ABSENT are not called, "
        "and monocytes are not judged (HIGH_BACKGROUND).", "fraction of the controls' CD40", source="the ratio is too "
        "low by as much, and from PRESENT (0.55 with its interval) to CD40_LOW (0.31) it is 0.24; default, not "
        "validated", ge=0)] = 0.2
    cd40_of_control_max: Annotated[float, limit(
        "CD40 over the controls' above which the control may be dim, and is doubted (CONTROL_DOUBTFUL).", "ratio",
        source="healthy people whose CD40 varies by a fifth, and a tenth between tubes, differ by a third: 2.5 is 2.9 "
        "SD of the logarithm; default, not validated", gt=1)] = 2.5
    own_donors_min: Annotated[int, limit(
        "Donors of an age band from which the laboratory's own curve alone decides there; with fewer it is provisional "
        "and the published one must agree.", "donors", ge=2)] = 20
    own_donors_fewest: Annotated[int, limit(
        "Donors of an age band below which the laboratory's own curve is not used there.", "donors", ge=3)] = 5


class SerumIgLimits(Struct, frozen=True):
    """The laboratory's limits of serum immunoglobulins, each a list of "from: low-high", from an age in years on. They
    change only the wording of a subject's page, never a call.
    """

    igm_g_l: Annotated[AgeRows, limit("IgM.", "years: g/L", source="none; the laboratory's own")] = AgeRows(())
    igg_g_l: Annotated[AgeRows, limit("IgG.", "years: g/L", source="none; the laboratory's own")] = AgeRows(())
    iga_g_l: Annotated[AgeRows, limit("IgA.", "years: g/L", source="none; the laboratory's own")] = AgeRows(())
    ige_iu_ml: Annotated[AgeRows, limit("IgE.", "years: IU/mL", source="none; the laboratory's own")] = AgeRows(())
