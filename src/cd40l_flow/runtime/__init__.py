"""The pre-fork worker and its client, the steps of a run, and what Snakemake lacks."""
