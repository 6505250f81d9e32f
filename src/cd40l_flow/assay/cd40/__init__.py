"""The assay of CD40 on B cells and monocytes as tables."""
