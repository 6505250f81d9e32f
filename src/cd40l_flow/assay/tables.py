"""The rows an assay is made of: plain data, which the stages read and an immunologist can check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

# The marker whose detector carries the reagent of a tube, and the gate that separates its positive cells.
TARGET, TARGET_GATE = "target", "target_low"
EXPRESSION, FUNCTION, SUBSETS = "expression", "function", "subsets"


@dataclass(frozen=True)
class Reagent:
    """What the target detector measures in a tube; ``name`` is the value of the column ``reagent`` of the sheet.

    A target has ``labels`` (a regular expression of the words that name it in ``$PnS`` or ``$PnN``) and
    ``backgrounds``, the best first; a background has neither. ``readout`` says what a target tests: expression of the
    protein, its function, or subsets of cells. ``lacks`` are the markers that a background is not stained for: it is
    measured in the detectors they have in the tubes it serves. ``key`` begins its columns of ``summary.tsv``,
    ``control_positive`` names the limit (group ``guards``) below which a control's percent positive fails, ``title`` is
    what figures call it, and ``loinc`` are code and name of its result. ``expected`` targets have their place on the
    report even where they were not stained.
    """

    name: str
    labels: str = ""
    backgrounds: tuple[str, ...] = ()
    readout: str = ""
    key: str = ""
    control_positive: str = ""
    title: str = ""
    loinc: tuple[str, str] = ("", "")
    expected: bool = True
    lacks: tuple[str, ...] = ()

    @property
    def borrowed_markers(self) -> tuple[str, ...]:
        """The markers of a background whose detectors are those of the tubes it serves."""
        return () if self.readout else self.lacks or (TARGET,)


@dataclass(frozen=True)
class Marker:
    """A marker of the panel: ``labels`` is a regular expression of the words that name it in ``$PnS`` or ``$PnN``.

    Without ``labels`` it is found by the configuration only, or, as target and viability dye, by rules of its own.
    ``by_label`` False leaves its label alone, except in drafts and `inspect`. ``required``: a tube without it is
    refused. ``time_qc``: its signal must be steady over the acquisition.
    """

    name: str
    what: str
    labels: str = ""
    by_label: bool = True
    required: bool = False
    time_qc: bool = False


@dataclass(frozen=True)
class Gate:
    """One gate: the population it makes of its ``parent``, by default the one before it, and how its boundaries are
    found.

    ``finder`` names the function that finds it (`gating.finders`); ``boundaries`` are its names in ``overrides.tsv``,
    their values in ``unit``. A gate on one ``marker`` keeps what lies above or below its boundary (``keep``); the other
    cells are the population ``others``, where that has a name. Gates that share a boundary have its name in common, and
    the first finds it. ``stained``: what happens where tubes lack the marker, ``any`` (they go on ungated), ``own``
    (only those with it are gated; where none is, the populations that follow are made from its parent) or ``all`` (no
    gate is drawn). ``around`` are the markers whose cells a scatter gate is drawn around, the first that every tube
    has. ``only_if`` names the switch (group ``gating``) without which the gate is left out, ``from_control`` says that
    the run's controls give their boundary to the other samples, ``distance`` names the limit beyond which it lies far
    from theirs. ``warn`` is a population and the limit (percent of it) below which a tube is warned of. ``second_axis``
    is the marker of the other axis of its panel: by default SSC, of the last gate the target.
    """

    population: str
    finder: str
    boundaries: tuple[str, ...]
    marker: str = ""
    keep: str = "above"
    parent: str = ""
    others: str = ""
    stained: str = "all"
    only_if: str = ""
    from_control: bool = False
    distance: str = ""
    warn: tuple[str, str] = ("", "")
    around: tuple[str, ...] = ()
    second_axis: str = ""
    unit: str = "compensated linear channel units"

    @property
    def above(self) -> bool:
        """Whether the population lies above the boundary."""
        return self.keep == "above"


@dataclass(frozen=True)
class Check:
    """A measure of a reagent compared with a limit: the guard fires where it lies ``above`` (else below) it.

    ``limit`` is a key of the group ``guards`` of the limits, or a number; both are in ``unit``. A measure that is not
    known blocks the calls too, unless ``if_known``.
    """

    measure: str
    limit: str | float
    unit: str
    message: str
    above: bool = True
    if_known: bool = False


@dataclass(frozen=True)
class GuardRow:
    """A guard: the calls it takes away when it fires or cannot be computed, and whether it is a reason of any call.

    ``answer`` is the column of the samples sheet that fires it by a "yes" (by neither yes nor no where ``if_unknown``;
    test samples only), ``message`` its words. ``check`` is what fires it for each reagent. Guards that need more than
    that are functions of `decision`.
    """

    code: str
    blocks: frozenset[str]
    warns: bool = False
    answer: str = ""
    if_unknown: bool = False
    message: str = ""
    check: Check | None = None


# The operators of a condition, as readers write them.
OPERATOR_WORDS = {"<": "below", "<=": "at most", ">": "above", ">=": "at least"}


@dataclass(frozen=True)
class Condition:
    """``measure`` compared with ``limit``: the name of a limit of the group ``calls`` or of a measure, or a number."""

    measure: str
    op: str
    limit: str | float


@dataclass(frozen=True)
class Rule:
    """A call and what must hold for it: every condition of ``needs``, and of each group of ``either`` at least one.

    Of several rules that are met the one with the smallest ``place`` gives the call.
    """

    call: str
    place: int
    needs: tuple[Condition, ...]
    either: tuple[tuple[Condition, ...], ...] = ()


@dataclass(frozen=True)
class Assay:
    """An assay as tables.

    ``rules`` give the call of a reagent, ``calls`` that of the sample from those of expression and function, with its
    reason; ``functional`` is the rule of a defect of function, ``alike`` what else a call of both readouts needs.
    ``gates`` are in the order in which they are drawn. ``measures`` are those of the report, by group; ``summary``
    the reagents and measures (``call``: its call) of the summary's last columns. All in their order. ``name`` is the
    value of the column ``assay``; ``stimulated`` says whether its targets are measured in stimulated tubes,
    ``needs_control`` whether there is no call without a healthy control of the run.
    """

    reagents: tuple[Reagent, ...]
    markers: tuple[Marker, ...]
    gates: tuple[Gate, ...]
    guards: tuple[GuardRow, ...] = ()
    rules: tuple[Rule, ...] = ()
    functional: Rule | None = None
    alike: Condition | None = None
    calls: Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    measures: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    summary: tuple[tuple[str, str], ...] = ()
    name: str = "cd40l"
    stimulated: bool = True
    needs_control: bool = True

    @cached_property
    def reagent_names(self) -> tuple[str, ...]:
        """Every value of the column ``reagent``, in order: targets, then backgrounds."""
        return tuple(reagent.name for reagent in self.reagents)

    @cached_property
    def targets(self) -> Mapping[str, Reagent]:
        """The reagents that are measured, by name, in order."""
        return {reagent.name: reagent for reagent in self.reagents if reagent.readout}

    @cached_property
    def expression(self) -> tuple[str, ...]:
        """The targets that test expression: the clones, which must agree, the first one first."""
        return tuple(name for name, reagent in self.targets.items() if reagent.readout == EXPRESSION)

    @cached_property
    def function(self) -> str:
        """The target that tests function."""
        return next(name for name, reagent in self.targets.items() if reagent.readout == FUNCTION)

    def title(self, reagent: str) -> str:
        """Return what figures call a reagent."""
        return (self.targets[reagent].title if reagent in self.targets else "") or reagent

    @cached_property
    def background_of(self) -> Mapping[str, tuple[str, ...]]:
        """Background reagent -> the targets it serves, in order."""
        return {
            reagent.name: tuple(name for name, target in self.targets.items() if reagent.name in target.backgrounds)
            for reagent in self.reagents
            if not reagent.readout
        }

    @cached_property
    def marker_names(self) -> tuple[str, ...]:
        """Every marker, in order."""
        return tuple(marker.name for marker in self.markers)

    @cached_property
    def required_markers(self) -> tuple[str, ...]:
        """The markers without which a tube is refused, in order."""
        return tuple(marker.name for marker in self.markers if marker.required)

    @cached_property
    def reagent(self) -> Mapping[str, Reagent]:
        """Name -> reagent, in order."""
        return {reagent.name: reagent for reagent in self.reagents}

    def required_of(self, reagent: str) -> tuple[str, ...]:
        """Return the markers without which a tube of a reagent is refused, in order."""
        lacks = self.reagent[reagent].lacks if reagent in self.reagent else ()
        return tuple(marker for marker in self.required_markers if marker not in lacks)

    def stained(self, reagent: str, marker: str) -> bool:
        """Return whether the tubes of a reagent are stained for a marker that they have a detector for."""
        return reagent not in self.reagent or marker not in self.reagent[reagent].lacks

    @cached_property
    def gate_of(self) -> Mapping[str, Gate]:
        """Name of a boundary -> its gate, the first of those that share it."""
        found: dict[str, Gate] = {}
        for gate in self.gates:
            for boundary in gate.boundaries:
                found.setdefault(boundary, gate)
        return found

    def population_of(self, name: str) -> str:
        """Return the population that a boundary cuts out; a name that is no boundary is that of a population."""
        return self.gate_of[name].population if name in self.gate_of else name

    def boundaries(self, population: str) -> tuple[str, ...]:
        """Return the names of the boundaries that make a population."""
        return next((gate.boundaries for gate in self.gates if gate.population == population), ())

    @cached_property
    def parent_of(self) -> Mapping[str, str]:
        """Population -> the one it is made of, in order; that of the first gate is ``all`` events."""
        found: dict[str, str] = {}
        before = "all"
        for gate in self.gates:
            for name in (gate.population, gate.others):
                if name:
                    found[name] = gate.parent or before
            before = gate.population
        return found

    @cached_property
    def maker(self) -> Mapping[str, Gate]:
        """Population -> the gate that makes it."""
        return {name: gate for gate in self.gates for name in (gate.population, gate.others) if name}

    @cached_property
    def override_names(self) -> tuple[str, ...]:
        """Every boundary that ``overrides.tsv`` may set."""
        return (*self.gate_of, TARGET_GATE)

    @cached_property
    def populations(self) -> tuple[str, ...]:
        """Every population that a gate makes, in order; the cells that did not pass behind those that did."""
        return tuple(name for gate in self.gates for name in (gate.population, gate.others) if name)

    @cached_property
    def thresholds(self) -> Mapping[str, tuple[Gate, bool]]:
        """Population -> its gate on one marker, and whether it lies above the boundary."""
        made = {gate.population: (gate, gate.above) for gate in self.gates if gate.marker}
        return made | {gate.others: (gate, not gate.above) for gate in self.gates if gate.others}

    @cached_property
    def columns(self) -> Mapping[str, tuple[str, str]]:
        """Column of ``summary.tsv`` -> reagent and measure."""
        return {f"{self.targets[reagent].key}_{measure}": (reagent, measure) for reagent, measure in self.summary}

    @cached_property
    def guard(self) -> Mapping[str, GuardRow]:
        """Code -> guard."""
        return {guard.code: guard for guard in self.guards}
