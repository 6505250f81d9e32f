"""The pre-fork worker and its client, and additions to a Snakemake run."""
