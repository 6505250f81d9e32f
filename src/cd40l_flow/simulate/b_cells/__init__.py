"""Tubes of the B-cell assays (class-switched memory, CD40) with known truth, on the instrument of the simulation.

``laws`` defines the B cells of healthy donors by age, ``samples`` what is asked for, ``panels`` which dye sits on
which marker; ``physics`` holds what cells carry, ``cells`` draws them, ``tube`` acquires one tube, ``dialects``
how instruments write it, ``truth`` what is in it, ``write`` puts samples on disk. ``scenarios`` has the patients
and the disturbances by name, ``demo`` the run that goes with the demonstration cohort.
"""

from cd40l_flow.simulate.b_cells.demo import demo_samples
from cd40l_flow.simulate.b_cells.laws import Subsets, healthy_b_percent, healthy_subsets
from cd40l_flow.simulate.b_cells.samples import BSample
from cd40l_flow.simulate.b_cells.scenarios import SCENARIOS, BScenario, day_control, named_b_cells
from cd40l_flow.simulate.b_cells.tube import BTube, simulate_b_tube
from cd40l_flow.simulate.b_cells.write import b_fcs_name, write_b_cells

__all__ = [
    "SCENARIOS",
    "BSample",
    "BScenario",
    "BTube",
    "Subsets",
    "b_fcs_name",
    "day_control",
    "demo_samples",
    "healthy_b_percent",
    "healthy_subsets",
    "named_b_cells",
    "simulate_b_tube",
    "write_b_cells",
]
