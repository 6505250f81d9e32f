"""The negative fraction of one reagent, and its limit of detection, against known truth, bounds and other methods."""
