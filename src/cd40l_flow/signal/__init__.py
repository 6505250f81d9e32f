"""From stored values to comparable ones: compensation, one fixed scale per detector, acquisition QC."""
