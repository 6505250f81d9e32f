"""The assay of X-linked hyper-IgM syndrome as tables: CD154, and binding of CD40-Ig, on activated CD4+ T cells.

A new reagent, gate, guard or column is a row in the table of its name; CONTRIBUTING.md shows one of each.
"""

from __future__ import annotations

from cd40l_flow.assay.cd40l.gates import GATES
from cd40l_flow.assay.cd40l.guards import GUARDS
from cd40l_flow.assay.cd40l.markers import MARKERS
from cd40l_flow.assay.cd40l.reagents import REAGENTS
from cd40l_flow.assay.cd40l.rules import ALIKE, CALLS, FUNCTIONAL, RULES
from cd40l_flow.assay.cd40l.summary_columns import MEASURES, SUMMARY
from cd40l_flow.assay.tables import Assay

CD40L = Assay(REAGENTS, MARKERS, GATES, GUARDS, RULES, FUNCTIONAL, ALIKE, CALLS, MEASURES, SUMMARY)
