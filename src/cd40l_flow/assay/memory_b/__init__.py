"""The assay of class-switched memory B cells as tables."""

from __future__ import annotations

from cd40l_flow.assay.memory_b.gates import GATES
from cd40l_flow.assay.memory_b.guards import GUARDS
from cd40l_flow.assay.memory_b.markers import MARKERS
from cd40l_flow.assay.memory_b.reagents import REAGENTS
from cd40l_flow.assay.memory_b.rules import RULES
from cd40l_flow.assay.tables import Assay

MEMORY_B = Assay(REAGENTS, MARKERS, GATES, GUARDS, RULES, name="memory_b", stimulated=False, needs_control=False)
