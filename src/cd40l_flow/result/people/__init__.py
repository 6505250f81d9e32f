"""People: the samples of one person joined over assays, runs and dates."""
