"""What was decided: checks, rules, calls, odds, codes and what would change the call."""

from typing import Annotated

from msgspec import Meta

from cd40l_flow.base.records import Count, NotNegative, Record, doc, one_of
from cd40l_flow.result.types.fields import Call, Hypothesis, Reagent, Reason


class Subcall(Record, frozen=True):
    """The sub-call of one reagent."""

    call: Annotated[Call, doc("The call of the reagent alone.")]
    reasons: Annotated[list[Reason], doc("Why, in the order of importance.")]


class Guard(Record, frozen=True):
    """One check made before any rule."""

    code: Annotated[Annotated[str, Meta(pattern="^[A-Z][A-Z0-9_]*$")], doc("Reason code of the check.")]
    reagent: Annotated[Reagent | None, doc("The reagent concerned; null for the whole sample.")]
    fired: Annotated[bool | None, doc("True: the check stopped, limited or warned; null: it could not be evaluated.")]
    effect: Annotated[
        Annotated[str, one_of("hard", "soft", "limits")],
        doc("hard stops the call, soft warns, limits narrows which calls are possible."),
    ]
    value: Annotated[float | None, doc("What was measured, in `unit`.")]
    limit: Annotated[float | None, doc("What it was compared with, in `unit`.")]
    unit: Annotated[str, doc("Unit of value and limit; may be empty.")]
    message: Annotated[str, doc("The finding in words.")]


class Condition(Record, frozen=True):
    """One comparison of a rule."""

    measure: Annotated[str, doc("Name of the measure, as in `reagents` where it is kept there.")]
    value: Annotated[float | None, doc("The measure; null when it could not be computed.")]
    op: Annotated[Annotated[str, one_of("<", "<=", ">", ">=", "==", "!=")], doc("Comparison: value op limit.")]
    limit: Annotated[float | None, doc("The cut-off, in the unit of the measure.")]
    met: Annotated[bool | None, doc("Null when the value or the limit is not available.")]
    either: Annotated[
        Count | None,
        doc(
            "Number of the set of alternatives it belongs to, one of which is enough; null when it is needed by itself."
        ),
    ]
    distance: Annotated[
        float | None, doc("How far the value lies inside its limit (negative: beyond it), in the unit of the measure.")
    ]


class Rule(Record, frozen=True):
    """One row of the table of calls, in the order tried."""

    reagent: Annotated[Reagent | None, doc("The reagent concerned; null for the whole sample.")]
    call: Annotated[Call, doc("The call that the rule makes.")]
    met: Annotated[
        bool | None, doc("True when every condition is met; null when one could not be evaluated and none failed.")
    ]
    conditions: Annotated[list[Condition], doc("All conditions of the row.")]


class Message(Record, frozen=True):
    """One remark for the reader."""

    code: Annotated[str, doc("Code of the fault or remark.")]
    severity: Annotated[Annotated[str, one_of("error", "warning", "info")], doc("Its severity.")]
    tube: Annotated[str | None, doc("Tube concerned, or null.")]
    text: Annotated[str, doc("The remark in words; names the file and the fault.")]


class Term(Record, frozen=True):
    """A LOINC term."""

    system: Annotated[str, doc("Coding system.")]
    code: Annotated[Annotated[str, Meta(pattern="^[0-9]+-[0-9]$")], doc("LOINC code.")]
    name: Annotated[str, doc("Name of the term.")]


class Coded(Record, frozen=True):
    """A LOINC term with its qualitative result."""

    system: Annotated[str, doc("Coding system.")]
    code: Annotated[Annotated[str, Meta(pattern="^[0-9]+-[0-9]$")], doc("LOINC code.")]
    name: Annotated[str, doc("Name of the term.")]
    value: Annotated[
        Annotated[
            str,
            one_of("present", "present but reduced", "present on one of two populations", "absent", "indeterminate"),
        ],
        doc("As the term defines it, with what one word alone would hide."),
    ]
    words: Annotated[str, doc("What our sub-call adds.")]
    reference: Annotated[str, doc("The value that a healthy person has.")]
    abnormal: Annotated[bool | None, doc("Whether the value differs from it; null where there is no result.")]
    interpretation: Annotated[
        Annotated[str, one_of("N", "A", "IND")],
        doc("The same as a code of HL7 (ObservationInterpretation): N normal, A abnormal, IND indeterminate."),
    ]


class Codes(Record, frozen=True, rename={"cd154": "CD154", "cd40_ig": "CD40-Ig"}):
    """Coded results for laboratory systems (LOINC)."""

    panel: Annotated[Term, doc("The term of the panel.")]
    cd154: Annotated[Coded, doc("Presence of CD154.")]
    cd40_ig: Annotated[Coded, doc("Presence of what binds CD40-Ig.")]


class ChangedMeasure(Record, frozen=True):
    """One measure."""

    measure: Annotated[str, doc("Name of the measure.")]
    value: Annotated[float | None, doc("As measured.")]
    needed: Annotated[float, doc("Where it would have to lie, at least or at most.")]
    op: Annotated[Annotated[str, one_of("<", "<=", ">", ">=")], doc("How it is compared.")]
    limit: Annotated[float, doc("Limit it would have to cross.")]


class Change(Record, frozen=True, rename={"before": "from"}):
    """A change that would give another call."""

    reagent: Annotated[Reagent | None, doc("The reagent concerned; null for the whole sample.")]
    before: Annotated[Call, doc("The call as it is.")]
    to: Annotated[Call, doc("The call with the change.")]
    text: Annotated[str, doc("The change in words.")]
    changes: Annotated[
        list[ChangedMeasure],
        doc("Measures that would have to lie elsewhere; empty if a check would have to pass or controls are lacking."),
    ]


class BindingRatio(Record, frozen=True):
    """How much CD40-Ig the CD154 that is there binds."""

    ratio: Annotated[
        NotNegative, doc("MFI of CD40-Ig over that of CD154, all activated cells, each over the controls'.")
    ]
    low: Annotated[NotNegative, doc("Lower end of its 95 % interval.")]
    high: Annotated[NotNegative, doc("Upper end of its 95 % interval.")]


class Odds(Record, frozen=True):
    """The odds by all reagents together, and the ratio of CD40-Ig over CD154."""

    joint: Annotated[
        dict[Hypothesis, float],
        doc("Call, or DISCORDANT, to its natural-log odds against the likeliest other; likeliest first."),
    ]
    binding_ratio: Annotated[
        BindingRatio | None, doc("How much CD40-Ig the CD154 that is there binds; null where either was not measured.")
    ]
