"""The outcome of a run of the workflow: calls by kind, what failed, and the record of the run."""
