#!/usr/bin/env bash
# Brings up a Docker engine on a bare Debian machine, as root; does nothing where one answers already.
set -euo pipefail

LOG=${DOCKERD_LOG:-/var/log/zephyr-dockerd.log}
say() { echo "docker-up: $*"; }
answers() { timeout 20 docker version --format '{{.Server.Version}}' 2>/dev/null; }

if version=$(answers); then
  say "engine $version answers"
  exit 0
fi
if [ "$(id -u)" != 0 ]; then
  say "no Docker engine answers, and starting one needs root" >&2
  exit 1
fi
if ! command -v dockerd >/dev/null; then
  say "installing docker.io"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends docker.io iptables ca-certificates >/dev/null
fi
# without systemd nobody may have mounted the control groups
if ! mountpoint -q /sys/fs/cgroup && ! mount -t cgroup2 none /sys/fs/cgroup; then
  say "no control groups at /sys/fs/cgroup" >&2
  exit 1
fi

# Starts dockerd with these flags and waits until it answers or has gone.
start() {
  say "starting dockerd $* (log: $LOG)"
  # a session of its own, and no descriptor of ours: it is to outlive this script and whoever reads its output
  setsid --fork dockerd "$@" </dev/null >>"$LOG" 2>&1
  for _ in $(seq 120); do
    sleep 0.5
    if version=$(answers); then
      say "engine $version answers"
      return 0
    fi
    pgrep -x dockerd >/dev/null || return 1
  done
  return 1
}

# jobs have no network, so an engine that may not set up a bridge is as good
start || start --iptables=false --bridge=none || {
  say "dockerd did not come up; the end of its log:" >&2
  tail -n 20 "$LOG" >&2
  exit 1
}
