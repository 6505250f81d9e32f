"""The part of the decision table on the assays of B cells, from the data that decide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import cd40l_flow.assay.cd40.guards as cd40_guards
import cd40l_flow.assay.cd40.rules as cd40_rules
import cd40l_flow.assay.memory_b.guards as memory_guards
import cd40l_flow.assay.memory_b.rules as memory_rules
from cd40l_flow.assay.b_cell_limits import BCellLimits
from cd40l_flow.assay.cd40l.guards import GUARDS
from cd40l_flow.assay.effects import (
    CD40_ABSENT,
    CD40_LOW,
    DISCORDANT,
    PRESENT,
    SWITCHED_ABSENT,
    SWITCHED_LOW,
    SWITCHED_NORMAL,
)
from cd40l_flow.assay.joint_reading import ROWS, JointRow
from cd40l_flow.assay.memory_b.age_table import BANDS, NAME, SOURCE
from cd40l_flow.assay.tables import GuardRow
from cd40l_flow.assay.texts import texts_of
from cd40l_flow.decision.b_cells.age_curve import AgeCurve
from cd40l_flow.decision.b_cells.joint import joint_words
from cd40l_flow.report.rule_tables import check_lines, rule_lines

# Codes that only samples of B cells can have.
CODES_OF_B_CELLS = {row.code for row in (*memory_guards.GUARDS, *cd40_guards.GUARDS)} - {row.code for row in GUARDS}
MEMORY_READ = """\
The assay `memory_b` compares the share of class-switched B cells, CD27+IgD-IgM- of CD19+ cells, with people of the same
age. Its calls are SWITCHED_NORMAL, SWITCHED_LOW and SWITCHED_ABSENT; none names a disease. Three-valued logic as above:
what is not known never counts as met.
"""
AGE_READ = """\
The logit of the share is normal at every age. Its mean and SD are taken from the printed limits (2.5th and 97.5th
percentiles; 0 % is read as 0.5 %, since whole percents are printed) at the middle of each band on ln age, for the open
band at its start, and interpolated monotonely between two of them (Fritsch and Carlson 1980), constant beyond. Steps
between bands disappear: towards the end of a band the limit is already on its way to that of the next. `age_z` is the
distance of the logit from the mean, in SD.

The laboratory's own curve (`by_age` of `reference.json`) takes its place in an age band with `own_donors_min` healthy
donors or more: mean and SD by a locally linear regression on ln age (Gaussian weights, SD 0.3; Cleveland 1979, Fan and
Yao 1998), SWITCHED_LOW then below the one-sided tolerance limit (97.5 % of people, confidence 95 %; Hahn and Meeker
1991). With `own_donors_fewest` donors or more it is provisional: the published curve must agree. Every result names the
table that decided.
"""
SHARES_READ = """\
The printed limits count CD27+IgD- cells. IgM-only cells are among these, and people who cannot switch may have them. So
SWITCHED_NORMAL rests on cells without IgM; near the limit SWITCHED_LOW needs both shares, far below it (less than
`switched_part_min` of it) the share without IgM is enough; and where two markers would call the sample normal,
SWITCHED_ABSENT is called only if IgM-only cells are as bright as cells with IgM of their own (`igm_only_level_min`;
else it is SWITCHED_LOW, with `IGM_ONLY`). Where IgM is not informative, the two-marker share decides, and
SWITCHED_NORMAL must hold without `igm_only_points` of it. Without an age the limits are the strictest of any age.
When no rule holds: `BETWEEN_LIMITS`.
"""
CD40_READ = """\
The assay `cd40` compares CD40 of B cells and of CD14+ monocytes, each less its isotype, with the controls'. It needs no
ages. Each kind of cells has a call by the rules; both must agree, else DISCORDANT; with too few monocytes B cells
decide, with `MONOCYTES_NOT_TESTED`. A single control is PRESENT where its own checks pass. PRESENT never excludes CD40
deficiency.
"""
JOINT_READ = """\
The calls of one person's assays are read together in words. No row changes a call, and a call that is INDETERMINATE is
never read as another.
"""


def b_cell_lines() -> Iterator[str]:
    """Yield the lines of the page on the assays of B cells, and on the joint reading of the assays."""
    yield from ("", "# Class-switched memory B cells", "", MEMORY_READ)
    yield from ("## Checks of `memory_b`", "")
    yield from check_lines(memory_guards.GUARDS, (SWITCHED_ABSENT, SWITCHED_LOW, SWITCHED_NORMAL))
    yield from ("", "## Healthy people by age", "", AGE_READ, *_ages())
    yield from (
        "",
        "## Rules of switched memory",
        "",
        SHARES_READ,
        *rule_lines(memory_rules.RULES, memory_rules.MEASURE_WORDS, BCellLimits()),
    )
    yield from ("", *_codes("memory_b", memory_guards.GUARDS))
    yield from ("", "# CD40", "", CD40_READ)
    yield from ("## Checks of `cd40`", "")
    yield from check_lines(cd40_guards.GUARDS, (CD40_ABSENT, CD40_LOW, DISCORDANT, PRESENT))
    yield from ("", "## Rules of CD40", "", *rule_lines(cd40_rules.RULES, cd40_rules.MEASURE_WORDS, BCellLimits()))
    yield from ("", *_codes("cd40", cd40_guards.GUARDS))
    yield from (
        "",
        "# What the assays mean together",
        "",
        JOINT_READ,
        "| CD154 | switched memory | who | reading | next |",
    )
    yield "|---|---|---|---|---|"
    words = joint_words()["rows"]
    yield from (_joint(row, words[row.key]) for row in ROWS)


def _ages() -> Iterator[str]:
    curve = AgeCurve()
    yield f"{NAME} ({SOURCE}), percent of CD19+ cells, B cells of lymphocytes; last, the curve where each band begins:"
    yield ""
    yield "| age | B cells | naive | switched | non-switched | limit of the curve |"
    yield "|---|---|---|---|---|---|"
    for band in BANDS:
        ranges = (band.b_cells, band.naive, band.switched, band.non_switched)
        cells = " | ".join(f"{low:g}-{high:g}" for low, high in ranges)
        yield f"| {band.words} | {cells} | {curve.lower_limit(band.start / 12):.1f} |"


def _codes(assay: str, guards: Sequence[GuardRow]) -> Iterator[str]:
    """Yield the reason codes of an assay whose words are its own; the others stand above."""
    reasons, above = texts_of(assay)["reasons"], texts_of("cd40l")["reasons"]
    yield from ("| code | what happened | what to do |", "|---|---|---|")
    for code in (*(row.code for row in guards), "BETWEEN_LIMITS"):
        if code in CODES_OF_B_CELLS or reasons[code] != above[code]:
            yield f"| `{code}` | {reasons[code]['what']} | {reasons[code]['remedy']} |"


def _joint(row: JointRow, words: Mapping[str, str]) -> str:
    cd154 = ", ".join(sorted(row.cd154))
    switched = ", ".join(sorted(call.removeprefix("SWITCHED_") for call in row.switched))
    who = {"anybody": "", "man": "male"}.get(row.who, row.who)
    return f"| {cd154} | {switched} | {who} | {words['reading']} | {words['next']} |"
