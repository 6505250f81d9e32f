"""What goes wrong, or only differs, in real laboratories, by mechanism: a sample, its control, and the right calls.

Each mechanism states what the sample is in truth, so that a call can be right, open or dangerous (``Scenario.right``,
``Scenario.dangerous``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.simulate.cohort import Fault, Scenario
from cd40l_flow.simulate.parameters import SimulationParameters
from cd40l_flow.simulate.scenarios import SCENARIOS, healthy_control

OPEN = "INDETERMINATE"
# A carrier of a residual allele or of much skewing may rightly stay open, or look reduced as a whole.
OPEN_OR_REDUCED = (OPEN, "REDUCED")
NO_BACKGROUND: dict[str, Any] = {
    "stimulated": ("CD154", "CD40-Ig"),
    "unstimulated": ("CD154", "CD40-Ig"),
}


@dataclass(frozen=True)
class Mechanism:
    """One mechanism: ``scenario`` is the sample, ``of_control`` how its control differs from the usual one.

    ``of_run`` are parameters of the physics for the whole run. ``plain`` marks one that a good assay decides; in the
    others an open call is as right as any.
    """

    scenario: Scenario
    of_control: Mapping[str, Any] = field(default_factory=dict)
    of_run: Mapping[str, Any] = field(default_factory=dict)
    plain: bool = True

    @property
    def name(self) -> str:
        """The name of the mechanism is the sample's."""
        return self.scenario.sample

    def control(self, sample: str = "C01") -> Scenario:
        """Return the run's control."""
        return replace(healthy_control(sample), **self.of_control)

    def parameters(self) -> SimulationParameters:
        """Return the physics of the run."""
        return SimulationParameters(**self.of_run)


def _healthy(name: str, *, acceptable: tuple[str, ...] = (), **changes: Any) -> Scenario:
    return Scenario(name, truth="healthy", acceptable=acceptable, **changes)


def _affected(name: str, call: str, *, acceptable: tuple[str, ...] = (), **changes: Any) -> Scenario:
    return Scenario(name, truth="affected", expected_call=call, acceptable=acceptable, **changes)


def _carrier(name: str, *, acceptable: tuple[str, ...] = (), **changes: Any) -> Scenario:
    woman: dict[str, Any] = {"sex": "F", "age_years": 34.0} | changes
    return Scenario(name, truth="carrier", expected_call="MOSAIC", acceptable=acceptable, **woman)


def _failed(name: str, **changes: Any) -> Scenario:
    return Scenario(name, truth="failed", expected_call=OPEN, **changes)


def _absent(name: str, **changes: Any) -> Scenario:
    return _affected(name, "ABSENT", negative_fraction=0.985, expression_level=0.05, **changes)


def _dim(molecules: float) -> Mapping[str, Any]:
    """Return the physics of a run whose cells bind so many molecules, CD40-Ig no fewer."""
    return {"cd154_molecules": molecules, "cd40ig_bound": 1.6}


D4, D3, D2 = _dim(1150.0), _dim(650.0), _dim(330.0)
BROAD: dict[str, Any] = {"positive_spread": 2.4, "positive_skew": -2.5}  # natural-log SD 1.0
WEAK: dict[str, Any] = {"activated_fraction": 0.80, "cd69_level": 0.55, "unresponsive": 0.18}
# Nearly every cell has some CD69, but a fifth of the usual, and half of them do not express.
HARDLY: dict[str, Any] = {"activated_fraction": 0.88, "cd69_level": 0.2, "unresponsive": 0.5}
NO_VOLTAGES = tuple(
    Fault("no_voltages", reagent, state)
    for state in ("stimulated", "unstimulated")
    for reagent in Scenario("any").stimulated
)

MECHANISMS: tuple[Mechanism, ...] = (
    # Plain ones
    Mechanism(_healthy("healthy-male")),
    Mechanism(_healthy("healthy-female", sex="F", age_years=30.0)),
    Mechanism(_absent("absent")),
    Mechanism(_carrier("carrier-half", negative_fraction=0.50)),
    Mechanism(_carrier("carrier-37-percent-positive", negative_fraction=0.63)),
    Mechanism(_carrier("carrier-mutant-skew", negative_fraction=0.93)),
    Mechanism(_carrier("carrier-78-percent-positive", acceptable=(OPEN,), negative_fraction=0.22), plain=False),
    Mechanism(_affected("no-binding", "FUNCTIONAL_DEFECT", function=0.0)),
    Mechanism(_affected("reduced-to-a-quarter", "REDUCED", expression_level=0.25)),
    Mechanism(
        Scenario("transplanted", truth="carrier", expected_call="MOSAIC", transplant="yes", negative_fraction=0.60)
    ),
    # Dim reagents
    *(
        Mechanism(replace(scenario, sample=f"{scenario.sample}-{name}"), of_run=physics)
        for name, physics in (("d4", D4), ("d3", D3), ("d2", D2))
        for scenario in (
            _healthy("dim-healthy"),
            _absent("dim-absent"),
            _carrier("dim-carrier", negative_fraction=0.50),
        )
    ),
    Mechanism(
        _healthy("dim-cd40ig-control", acceptable=(OPEN,)),
        of_run={"cd40ig_bound": 0.02},
        plain=False,
    ),
    # Log amplifiers, and exports that are clipped at the ends of their axes
    *(
        Mechanism(
            replace(scenario, sample=f"{scenario.sample}-{instrument}", instrument=instrument),
            of_control={"instrument": instrument},
            # A top that cuts through the expressing cells leaves their law open.
            plain=instrument != "floor-and-top",
        )
        for instrument in ("calibur", "fc500", "floor-zero", "floor-one", "floor-and-top")
        for scenario in (_healthy("healthy"), _absent("absent"), _carrier("carrier", negative_fraction=0.50))
    ),
    # Detectors of 24 bits that read as few channels as others of 18
    *(
        Mechanism(
            replace(scenario, sample=f"{scenario.sample}-24-bit", instrument="24-bit"),
            of_run={"range": 16777216},
            of_control={"instrument": "24-bit"},
        )
        for scenario in (_healthy("healthy"), _absent("absent"), _carrier("carrier", negative_fraction=0.50))
    ),
    # Residual alleles
    *(
        Mechanism(
            _carrier(
                f"residual-carrier-{level:.0%}".rstrip("%"),
                acceptable=OPEN_OR_REDUCED,
                residual_fraction=0.5,
                residual_level=level,
            ),
            plain=False,
        )
        for level in (0.2, 0.3, 0.4)
    ),
    Mechanism(_affected("missense", "REDUCED", acceptable=(OPEN,), expression_level=0.4), plain=False),
    Mechanism(
        _affected("missense-weak-binding", "REDUCED", acceptable=(OPEN, "FUNCTIONAL_DEFECT"), expression_level=0.3,
                  function=0.3),
        plain=False,
    ),
    # Stimulation and composition
    Mechanism(_healthy("weak-stimulation", acceptable=(OPEN,), **WEAK), plain=False),
    Mechanism(_healthy("hardly-stimulated", acceptable=(OPEN,), **HARDLY), plain=False),
    Mechanism(_carrier("weak-stimulation-carrier", acceptable=(OPEN,), negative_fraction=0.5, **WEAK), plain=False),
    Mechanism(
        _healthy("gamma-delta", acceptable=(OPEN,), double_negative=5.0, double_negative_silent=0.85), plain=False
    ),
    Mechanism(
        _carrier("gamma-delta-carrier", acceptable=(OPEN,), negative_fraction=0.5, double_negative=5.0,
                 double_negative_silent=0.85),
        plain=False,
    ),
    Mechanism(_healthy("lymphopenia", t_cells=0.07, events=40_000, background_events=20_000,
                       unstimulated_events=20_000)),
    Mechanism(_absent("lymphopenia-absent", t_cells=0.07, events=40_000, background_events=20_000,
                      unstimulated_events=20_000)),
    Mechanism(_healthy("few-cells", acceptable=(OPEN,), events=900), plain=False),
    Mechanism(_carrier("few-cells-carrier", acceptable=(OPEN,), events=900, negative_fraction=0.55), plain=False),
    Mechanism(_absent("few-cells-absent", acceptable=(OPEN,), events=900), plain=False),
    # Stains
    Mechanism(_failed("unstained-cd154", unstained=("CD154",)), plain=False),
    Mechanism(_failed("unstained-cd40ig", unstained=("CD40-Ig",)), plain=False),
    Mechanism(_failed("unstained-both", unstained=("CD154", "CD40-Ig")), plain=False),
    Mechanism(_absent("sticky-isotype-absent", acceptable=(OPEN,), sticky_background=2.5), plain=False),
    Mechanism(_healthy("sticky-isotype-healthy", acceptable=(OPEN,), sticky_background=2.5), plain=False),
    Mechanism(_healthy("high-background-healthy", acceptable=(OPEN,), background_shift=12.0),
              of_control={"background_shift": 12.0}, plain=False),
    Mechanism(_absent("high-background-absent", acceptable=(OPEN,), background_shift=12.0),
              of_control={"background_shift": 12.0}, plain=False),
    # Functions
    Mechanism(_affected("weak-expresser", "REDUCED", acceptable=(OPEN,), expression_level=0.25),
              of_run={"cd40ig_bound": 0.15}, plain=False),
    Mechanism(_affected("partial-binding", OPEN, acceptable=("FUNCTIONAL_DEFECT",), function=0.35), plain=False),
    # The instrument and the control
    Mechanism(_healthy("other-voltage", acceptable=(OPEN,), target_volts=420), plain=False),
    Mechanism(_healthy("little-other-voltage", acceptable=(OPEN,), target_volts=490), plain=False),
    Mechanism(_healthy("unrecorded-voltage", acceptable=(OPEN,), target_volts=420, faults=NO_VOLTAGES), plain=False),
    Mechanism(_healthy("carrier-as-control", acceptable=(OPEN,)), of_control={"negative_fraction": 0.24}, plain=False),
    Mechanism(_carrier("carrier-beside-carrier-control", acceptable=(OPEN,), negative_fraction=0.55),
              of_control={"negative_fraction": 0.24}, plain=False),
    Mechanism(_healthy("half-bright-control", acceptable=(OPEN,)), of_control={"expression_level": 0.45}, plain=False),
    Mechanism(
        _affected("reduced-beside-half-bright-control", "REDUCED", acceptable=(OPEN,), expression_level=0.25),
        of_control={"expression_level": 0.45},
        plain=False,
    ),
    # Ages
    Mechanism(_healthy("infant", acceptable=(OPEN,), age_years=0.2, negative_fraction=0.30, expression_level=0.6),
              plain=False),
    Mechanism(_carrier("infant-carrier", acceptable=(OPEN,), age_years=0.2, negative_fraction=0.65,
                       expression_level=0.6), plain=False),
    Mechanism(_affected("infant-absent", "ABSENT", acceptable=(OPEN,), age_years=0.2, negative_fraction=0.99,
                        expression_level=0.05)),
    # People and shapes
    Mechanism(_healthy("seventy-percent-positive", acceptable=(OPEN,), negative_fraction=0.29),
              of_control={"negative_fraction": 0.22}, plain=False),
    Mechanism(_healthy("broad", **BROAD), of_control=BROAD),
    Mechanism(_carrier("broad-carrier", negative_fraction=0.5, **BROAD), of_control=BROAD),
    Mechanism(_absent("broad-absent"), of_control=BROAD),
    Mechanism(_healthy("dim-continuum", acceptable=(OPEN,), dim_fraction=0.2), of_control={"dim_fraction": 0.2},
              plain=False),
    Mechanism(_carrier("dim-continuum-carrier", acceptable=(OPEN,), negative_fraction=0.5, dim_fraction=0.2),
              of_control={"dim_fraction": 0.2}, plain=False),
    # Laboratories without a stimulated background
    Mechanism(_healthy("no-background", acceptable=(OPEN,), **NO_BACKGROUND), of_control=NO_BACKGROUND, plain=False),
    Mechanism(_absent("no-background-absent", acceptable=(OPEN,), **NO_BACKGROUND), of_control=NO_BACKGROUND,
              plain=False),
    Mechanism(_carrier("no-background-carrier", acceptable=(OPEN,), negative_fraction=0.5, **NO_BACKGROUND),
              of_control=NO_BACKGROUND, plain=False),
)  # fmt: skip


def named(name: str, others: Sequence[str] = ()) -> tuple[tuple[Scenario, ...], SimulationParameters]:
    """Return the control and the sample of a mechanism or of a scenario, and the physics of their run.

    Raises Cd40lFlowError for a name that neither has, with all there are and the ``others`` that the caller knows.
    """
    for mechanism in MECHANISMS:
        if mechanism.name == name:
            return (mechanism.control(), mechanism.scenario), mechanism.parameters()
    for scenario in SCENARIOS:
        if scenario.sample == name:
            control = replace(healthy_control(), stimulated=scenario.stimulated)
            return (control, scenario), SimulationParameters()
    known = ", ".join(sorted({one.name for one in MECHANISMS} | {one.sample for one in SCENARIOS} | {*others}))
    raise Cd40lFlowError(f"There is no scenario {name!r}; there are {known}.")
