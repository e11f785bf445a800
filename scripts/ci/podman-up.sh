#!/usr/bin/env bash
# Brings podman up on a bare Debian machine, as root, with the image of the training jobs from the Docker engine there.
# `podman-up.sh FOLDER`: writes FOLDER/containers.conf, which CONTAINERS_CONF is to name for whoever calls podman.
set -euo pipefail

TAG=${TAG:-zephyr-train:test}
say() { echo "podman-up: $*"; }

if ! command -v podman >/dev/null || [ ! -e /usr/libexec/podman/catatonit ]; then
  say "installing podman"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends podman runc conmon catatonit >/dev/null
fi

# root in a virtual machine may lack what crun wants, and the right to raise limits; runc with limits of its own runs everywhere
mkdir -p "$1"
cat >"$1/containers.conf" <<'CONF'
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
CONF
export CONTAINERS_CONF=$1/containers.conf

id() { "$1" image inspect --format '{{.Id}}' "$2" 2>/dev/null | sed 's/^sha256://'; }
if [ "$(id podman "$TAG")" != "$(id docker "$TAG")" ]; then
  say "loading $TAG"
  docker save "$TAG" | podman load >/dev/null
fi
say "podman $(podman version --format '{{.Version}}') has $TAG"
