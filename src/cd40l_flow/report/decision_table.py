"""The decision table for readers, from the data that decide: ``python -m cd40l_flow.report.decision_table FILE``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from cd40l_flow.assay.call_limits import CallLimits
from cd40l_flow.assay.cd40l.rules import MEASURE_WORDS
from cd40l_flow.assay.effects import ABSENT, FUNCTIONAL_DEFECT, INDETERMINATE, MOSAIC, NORMAL, REDUCED
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.tables import Assay
from cd40l_flow.assay.texts import load_texts
from cd40l_flow.report.decision_table_b_cells import CODES_OF_B_CELLS, b_cell_lines
from cd40l_flow.report.rule_tables import check_lines, rule_conditions, rule_lines

IN_ORDER = (FUNCTIONAL_DEFECT, ABSENT, MOSAIC, REDUCED, NORMAL)
INTRODUCTION = """\
Written by `python -m cd40l_flow.report.decision_table docs/decision-table.md` from the data the program
decides by; a test fails when the two differ. Values are the defaults of the configuration; a laboratory's own
are printed in its reports.
"""
LOGIC = """\
First the checks (guards), then a sub-call for each reagent by the odds of what may explain its cells, then one
table from the sub-calls to the call, and the odds of all reagents together. Every comparison has three outcomes:
holds, does not hold, not known. What is not known never counts as met, a check that cannot be evaluated blocks
calls as if it had fired, and nothing falls through to NORMAL.
"""
CHECKS = """\
A check that fires takes calls away (✗): they become INDETERMINATE with its code. *Warns*: the code is shown with
the call. Some checks have a further limit that does more or less than this; the report states what a fired one took
away.
"""
RULES_READ = """\
Every rule is evaluated; of those that hold, the one with the smallest place gives the sub-call. Where a rule
that goes before may or may not hold, because a measure is missing, the sub-call is INDETERMINATE.
"""
ODDS_READ = """\
Each explanation of a reagent's cells predicts what the negative fraction n and the level of the
expressing cells (ln over the control's, l) are. k controls of negative fraction x, known with the standard error e,
give the mean of the healthy with the variance v = `healthy_negative_sd`²/k + e²; other laboratories give it too, with
u = `healthy_negative_mean_sd`². By the weight w = 1 − p v / (u + v) of the controls, a healthy sample is expected
at c = w x + (1 − w) `healthy_negative`, with s² = `healthy_negative_sd`² + w v. p is the probability that the
laboratory is like most (a tenth may find anything up to a half). t² = (1 + 1/k) `level_sd`².

- like the healthy: n normal (c, s), l normal (0, t);
- mosaic: n flat from c + b (1 − c) to 1, its edge blurred by s; l normal (0, t); at least 2 % and 50 expressing cells;
- residual allele: n and l as of the healthy, and a share of the expressing cells, flat from b to 98 % (50 cells of the
  full level at least), keeps a part of the level, normal (ln `residual_level`, `residual_level_sd`), that can be
  distinguished from the background; its gain over one kind of cells counts beyond twice the control's own and beyond
  0.002 a cell, what the law of the signal may be wrong by, which makes no call NORMAL, and at most as far as the sample
  has more dim cells than each control, without a law of the signal;
- reduced: n normal (c, s), l normal (ln `reduced_level`, √(`reduced_level_sd`² + `level_sd`²/k));
- absent: logit of n normal (4.2, 1.1), l normal (−2.8, 0.9); of a tenth of these people any share of the cells.

In a fifth of people a part of the cells of n, any part, is not negative but dim: it holds 3 to 50 % of the level
(normal, ln 0.12 and 0.7), as regulatory and double-negative T cells do. So dim cells are no residual allele unless
there are more of them than a healthy person has negative ones.

b = `lob_z` s / (1 − c), at most `smallest_mosaic`, is the smallest mutant fraction that NORMAL must exclude.
Spread, skew and photo-electron of the signal have the control's law under all of them (`shape_spread_sd`,
`shape_skew_sd`), shift and shape of the background those of the fit. The evidence of an explanation is its likelihood
integrated over all of that (Laplace's approximation at its best fit, MacKay 2003, chapter 27), the counts divided by
their overdispersion about the free fit, chi-squared over its 95th percentile (Wedderburn 1974,
doi:10.1093/biomet/61.3.439).
Odds are of one call against the likeliest other, as natural logarithms: 4.6 is 100 to 1. If people follow
these laws, a sample of which another call is true gets this one in less than one of 100 cases, MOSAIC of
its two explanations in less than two (Markov's inequality for likelihood ratios; Royall 1997).

All reagents are from one blood sample: negative fraction and level of two readouts may differ by no more than 0.015 and
0.1 (standard deviations) beyond counting, and what healthy people differ by counts once. Their rival is that the
readouts show different kinds of cells, or mosaics of different fractions (`discordant_odds`). Where a sub-call is only
undecided, the odds of all together may settle the call, if everything else that its rule needs holds in every reagent;
a call that they do not support is not made. A mosaic whose mutant cells express needs twice the ln odds, and against
one kind of cells, NORMAL or REDUCED, twice those of every reagent. Of a functional defect CD40-Ig itself must show
absence at these odds against a part of the cells that bind, as in a carrier.
"""
NO_RULE = """\
When no rule holds: the likeliest two explanations give the reason (NORMAL and MOSAIC `MOSAIC_GREY_ZONE`, REDUCED and
MOSAIC `REDUCED_VS_MOSAIC`); with the odds reached and too few expressing cells `TOO_FEW_EVENTS`, too wide a signal
`MODEL_MISFIT`; else `BETWEEN_LIMITS`.
"""
TABLE_READ = """\
NORMAL and REDUCED need CD40-Ig over CD154 (MFI of all activated cells, each over the control's) of at least
`binding_ratio_min` too, else `READOUT_DISCORDANT`. Two clones of anti-CD154 must agree (`CLONE_DISCORDANT`).
A code alone is INDETERMINATE with this reason, an empty field with those of the reagents. "not tested": the sheet has
no CD40-Ig tube, or its result is not valid while its measures agree with CD154; an invalid one that contradicts, or
with which something else is wrong too, leaves no call. With `require_function: false` NORMAL without CD40-Ig is
NORMAL, with the reason `FUNCTION_NOT_TESTED`.
"""
LIMITS_READ = "Every limit, with its unit and source: [config/README.md](../config/README.md#limits)."


def decision_table() -> str:
    """Return the page: checks, odds, rules, the table and reason codes; equal data give equal bytes."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    assay = current_assay()
    yield from ("# How a call is made", "", INTRODUCTION, LOGIC, "## Checks", "", CHECKS)
    yield from check_lines(assay.guard.values(), IN_ORDER)
    yield from ("", "## Odds", "", ODDS_READ, "## Rules of a reagent", "", RULES_READ)
    yield from rule_lines(assay.rules, MEASURE_WORDS, CallLimits())
    yield from ("", NO_RULE, "## From sub-calls to the call", "")
    if assay.functional:
        conditions = " and ".join(rule_conditions(assay.functional, MEASURE_WORDS, CallLimits()))
        yield from (f"{assay.functional.call} goes before the table, whatever CD40-Ig's sub-call: {conditions}.", "")
    yield TABLE_READ
    yield from _calls(assay)
    yield from ("", "## Reason codes", "", "| code | what happened | what to do |", "|---|---|---|")
    for code, text in load_texts()["reasons"].items():
        if code not in CODES_OF_B_CELLS:
            yield f"| `{code}` | {text['what']} | {text['remedy']} |"
    yield from (*b_cell_lines(), "", LIMITS_READ)


def _calls(assay: Assay) -> Iterator[str]:
    """Yield the table of calls: one row for each sub-call of expression, one column for each of function."""
    rows, columns = (list(dict.fromkeys(pair[place] for pair in assay.calls)) for place in (0, 1))
    yield f"| CD154 \\ CD40-Ig | {' | '.join(columns)} |"
    yield f"|---|{'---|' * len(columns)}"
    for row in rows:
        cells = (assay.calls.get((row, column), ("", "")) for column in columns)
        yield f"| {row} | {' | '.join(_call(*cell) for cell in cells)} |"


def _call(call: str, reason: str) -> str:
    shown = [f"**{call}**"] if call not in ("", INDETERMINATE) else []
    return ", ".join([*shown, *([f"`{reason}`"] if reason else [])])


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(decision_table(), encoding="utf-8", newline="\n")
