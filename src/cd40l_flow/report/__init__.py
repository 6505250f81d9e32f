"""The report of a sample, the index of a cohort, and their reviews."""
