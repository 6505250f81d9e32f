"""A cohort with known truth, from a physical model of the cells, the stains and the instrument.

``parameters`` holds the physics and ``cohort`` what is simulated; ``cells`` draws cells and their molecules,
``instrument`` counts their light, ``tube`` acquires one tube; ``fcs`` encodes it in the ``dialects`` of instruments,
``truth`` records what is in it, ``write`` puts a cohort on disk. ``scenarios`` has one sample for every situation the
assay must handle, ``mechanisms`` what differs between laboratories, ``variation`` any number of samples that differ in
everything.
"""

from cd40l_flow.simulate.cohort import FAULTS, Fault, Scenario, default_cohort
from cd40l_flow.simulate.dialects import CLIPPED, DIALECTS, INSTRUMENTS, PERSONS
from cd40l_flow.simulate.mechanisms import MECHANISMS, Mechanism, named
from cd40l_flow.simulate.parameters import DyeDetector, SimulationParameters
from cd40l_flow.simulate.scenarios import SCENARIOS, failed_control, healthy_control
from cd40l_flow.simulate.tube import SimulatedTube, simulate_tube
from cd40l_flow.simulate.variation import varied
from cd40l_flow.simulate.write import fcs_name, write_cohort

__all__ = [
    "CLIPPED",
    "DIALECTS",
    "FAULTS",
    "INSTRUMENTS",
    "MECHANISMS",
    "PERSONS",
    "SCENARIOS",
    "DyeDetector",
    "Fault",
    "Mechanism",
    "Scenario",
    "SimulatedTube",
    "SimulationParameters",
    "default_cohort",
    "failed_control",
    "fcs_name",
    "healthy_control",
    "named",
    "simulate_tube",
    "varied",
    "write_cohort",
]
