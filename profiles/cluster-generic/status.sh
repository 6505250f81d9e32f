#!/bin/sh
# Tells Snakemake how a submission is, by its number: running, success or failed.
state=$(squeue --noheader --states=all --jobs="$1" --format=%T 2>&1) || case $state in
    *"Invalid job id"*) ;;
    # The controller does not answer: what runs may run on.
    *) echo running; exit ;;
esac
case $state in
    COMPLETED) echo success ;;
    PENDING | CONFIGURING | RUNNING | COMPLETING | STAGE_OUT | SUSPENDED | STOPPED | SIGNALING | RESIZING) echo running ;;
    *) echo failed ;;
esac
