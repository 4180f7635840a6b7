#!/usr/bin/env bash
# Tell Snakemake how the job of an id is: running, success or failed.
set -uo pipefail

# A job that SLURM has forgotten, for it ended long ago, has not been seen to succeed.
state=$(scontrol --oneliner show job "$1" 2>/dev/null | grep -o "JobState=[A-Z_]*")

case "${state#JobState=}" in
COMPLETED) echo success ;;
PENDING | CONFIGURING | RUNNING | COMPLETING | SUSPENDED | REQUEUED | RESIZING) echo running ;;
*) echo failed ;;
esac
