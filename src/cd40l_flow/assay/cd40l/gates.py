"""The gates of the CD40 ligand assay in their order, from all events to activated CD4+ T cells."""

from __future__ import annotations

from cd40l_flow.assay.shared_gates import LYMPHOCYTES, SINGLETS, TIME, VIABLE
from cd40l_flow.assay.tables import Gate

CD3_POSITIVE, CD8_NEGATIVE, CD8_POSITIVE, ACTIVATED = "CD3+", "CD3+CD8-", "CD3+CD8+", "CD3+CD8-CD69+"
CD4_POSITIVE = "CD3+CD8-CD4+"

GATES = (
    Gate(TIME, "time", ("time_low", "time_high"), unit="seconds"),
    Gate(
        LYMPHOCYTES, "scatter", ("lymph_fsc_low", "lymph_fsc_high", "lymph_ssc_low", "lymph_ssc_high"),
        around=("CD3",),
    ),
    Gate(
        SINGLETS, "singlets", ("singlet_low", "singlet_high"), unit="ratio", warn=(LYMPHOCYTES, "singlets_warn_percent")
    ),
    Gate(
        VIABLE, "viability", ("viability_high",), "viability", keep="below", stained="any", from_control=True,
        distance="viability_distance_max", warn=(SINGLETS, "viable_warn_percent"),
    ),
    Gate(
        CD3_POSITIVE, "cd3", ("cd3_low",), "CD3", from_control=True, distance="cd3_distance_max",
        warn=(LYMPHOCYTES, "cd3_warn_percent"),
    ),
    Gate(
        CD8_NEGATIVE, "cd8", ("cd8_high",), "CD8", keep="below", others=CD8_POSITIVE, from_control=True,
        distance="cd8_distance_max",
    ),
    # For assays that leave CD4 on the surface; it is then the parent of CD69+.
    Gate(
        CD4_POSITIVE, "positive", ("cd4_low",), "CD4", only_if="cd4_gate", from_control=True,
        distance="cd4_distance_max",
    ),
    Gate(ACTIVATED, "cd69", ("cd69_low",), "CD69", from_control=True, distance="cd69_distance_max"),
)  # fmt: skip
