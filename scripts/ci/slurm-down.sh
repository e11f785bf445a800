#!/usr/bin/env bash
# Ends the Slurm cluster that slurm-up.sh brought up in FOLDER, with every process of its jobs, and deletes the folder:
# `slurm-down.sh [FOLDER]`. munge goes on: other clusters may stand on it.
set -euo pipefail

FOLDER=$(realpath -m "${1:-/tmp/zephyr-slurm}")
[ -e "$FOLDER/slurm.conf" ] || exit 0

# The daemons, and what runs in a job of this cluster; not a client that merely names the cluster.
members() {
  local process
  for process in /proc/[0-9]*; do
    grep -qzxF "SLURM_CONF=$FOLDER/slurm.conf" "$process/environ" 2>/dev/null || continue
    case $(readlink "$process/exe") in
      */slurmctld* | */slurmd* | */slurmstepd*) echo "${process#/proc/}" ;;
      ?*) grep -qz '^SLURM_JOB_ID=' "$process/environ" 2>/dev/null && echo "${process#/proc/}" ;;
    esac
  done
}
# a process may fork between the look and the kill
for _ in $(seq 100); do
  found=$(members || true)
  [ -z "$found" ] && break
  # shellcheck disable=SC2086 -- a list of numbers
  kill -KILL $found 2>/dev/null || true
  sleep 0.1
done
rm -rf "$FOLDER"
