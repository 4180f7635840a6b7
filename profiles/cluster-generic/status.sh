#!/usr/bin/env bash
# Tell Snakemake how the job of an id is: running, success or failed.
set -uo pipefail

if ! job=$(scontrol --oneliner show job "$1" 2>&1); then
    # Forgotten, for it ended long ago; or SLURM doesn't answer, and the job may well go on.
    case "$job" in
    *"Invalid job id"*) echo failed ;;
    *) echo running ;;
    esac
    exit
fi

state=$(grep -o "JobState=[A-Z_]*" <<<"$job")
case "${state#JobState=}" in
COMPLETED) echo success ;;
PENDING | CONFIGURING | RUNNING | COMPLETING | SUSPENDED | REQUEUED | RESIZING) echo running ;;
*) echo failed ;;
esac
