"""What the assays on B cells share: markers, and the gates from all events to CD3-CD19+ cells."""

from __future__ import annotations

from cd40l_flow.assay.shared_gates import LYMPHOCYTES, SINGLETS, TIME, VIABLE
from cd40l_flow.assay.tables import Gate, Marker

CD3_NEGATIVE, CD3_POSITIVE, B_CELLS, CD19_NEGATIVE = "CD3-", "CD3+", "CD19+", "CD19-"
NAIVE = "naive"

CD19 = Marker("CD19", "B cells", "CD19[a-e]?", required=True, time_qc=True)
CD3 = Marker(
    "CD3", "T cells, which are left out: a doublet of a T and a B cell looks switched", "CD3[a-e]?", time_qc=True
)
CD14 = Marker("CD14", "monocytes", "CD14[a-e]?", time_qc=True)
CD20 = Marker("CD20", "B cells, shown only", "CD20[a-e]?")
VIABILITY = Marker("viability", "the dye that dead cells take up", time_qc=True)
CD45 = Marker("CD45", "leukocytes, shown only", r"CD45[a-e]?(?![ _/-]?R(?:[ABCO]|[^A-Za-z0-9]|$))", by_label=False)

GATES = (
    Gate(TIME, "time", ("time_low", "time_high"), unit="seconds"),
    Gate(
        LYMPHOCYTES, "scatter", ("lymph_fsc_low", "lymph_fsc_high", "lymph_ssc_low", "lymph_ssc_high"),
        around=("CD3", "CD19"),
    ),
    Gate(
        SINGLETS, "singlets", ("singlet_low", "singlet_high"), unit="ratio", warn=(LYMPHOCYTES, "singlets_warn_percent")
    ),
    Gate(
        VIABLE, "viability", ("viability_high",), "viability", keep="below", stained="any", from_control=True,
        distance="viability_distance_max", warn=(SINGLETS, "viable_warn_percent"),
    ),
    Gate(
        CD3_NEGATIVE, "dump", ("cd3_high",), "CD3", keep="below", others=CD3_POSITIVE, stained="any", from_control=True,
        distance="cd3_distance_max",
    ),
    Gate(
        B_CELLS, "cd19", ("cd19_low",), "CD19", others=CD19_NEGATIVE, from_control=True, distance="cd19_distance_max"
    ),
)  # fmt: skip
