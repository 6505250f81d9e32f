"""The markers of the CD40 ligand assay: what a detector must be found for, and the words it is found by."""

from __future__ import annotations

from cd40l_flow.assay.tables import TARGET, Marker

MARKERS = (
    Marker("CD3", "T cells", "CD3[a-e]?", required=True, time_qc=True),
    Marker("CD8", "cytotoxic T cells, which the assay leaves out", "CD8[a-e]?", required=True, time_qc=True),
    Marker("CD69", "activation", "CD69[a-e]?", required=True, time_qc=True),
    Marker(TARGET, "CD154 or the CD40-Ig that cells have bound", required=True),
    Marker("viability", "the dye that dead cells take up", time_qc=True),
    Marker("CD4", "gated on only where the configuration asks for it: PMA takes it off", "CD4[a-e]?", time_qc=True),
    # Nothing is gated on CD45 and it may well be stained twice, so its label is not looked for.
    # "CD45 RA" with a space is the isoform, not the pan-leukocyte marker.
    Marker("CD45", "leukocytes, shown only", r"CD45[a-e]?(?![ _/-]?R(?:[ABCO]|[^A-Za-z0-9]|$))", by_label=False),
)
