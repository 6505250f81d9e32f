"""What a run of the workflow has come to: calls by kind, what failed, and the record of the run."""
