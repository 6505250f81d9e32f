"""Gates, acquisition QC and tube checks, against the truth of every event and gates drawn by hand."""
