#!/usr/bin/env bash
# Builds the image of a Python environment where no public registry may be asked for images:
# `docker-image.sh [TAG [ENVIRONMENT]]`, a folder of scripts/train/environments, the training jobs' without a word.
#
# The base is a Debian that debootstrap makes (or $BASE_IMAGE, if that is set), the packages are those that pip on this
# machine finds under its own settings, handed over as files: the build itself has no network and knows no address.
# An environment that extends another is built on the image of that one, ${BASE_TAG:-zephyr-OTHER:test}, which is built
# first where need be. Does nothing where the image was built from these very files, on this base.
set -euo pipefail

TAG=${1:-zephyr-train:test}
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
NAME=${2:-train}
ENVIRONMENTS=$ROOT/scripts/train/environments
ENVIRONMENT=$ENVIRONMENTS/$NAME
CACHE=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/zephyr
LABEL=org.zephyr.build
say() { echo "docker-image: $*"; }

if [ -e "$ENVIRONMENT/base" ]; then
  extended=$(cat "$ENVIRONMENT/base")
  base=${BASE_TAG:-zephyr-$extended:test}
  bash "${BASH_SOURCE[0]}" "$base" "$extended"
  pins=("$ENVIRONMENTS/$extended/requirements.txt" "$ENVIRONMENT/requirements.txt")
else
  extended=
  base=${BASE_IMAGE:-zephyr-base:bookworm}
  pins=("$ENVIRONMENT/requirements.txt")
fi
requirements=$(cat "${pins[@]}" | sha256sum | cut -d' ' -f1)
# all that goes into the image: the folder, the Dockerfile, and wheels and settings, which follow from the folder and from this script
build=$( (echo "$base $requirements" && cat "${BASH_SOURCE[0]}" "$ENVIRONMENTS/Dockerfile" "$ENVIRONMENTS/make.py" && cd "$ENVIRONMENT" && find . -type f | LC_ALL=C sort | xargs sha256sum) |
  sha256sum | cut -d' ' -f1)
if [ "$(docker image inspect --format "{{index .Config.Labels \"$LABEL\"}}" "$TAG" 2>/dev/null)" = "$build" ]; then
  say "$TAG is up to date"
  exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if ! docker image inspect "$base" >/dev/null 2>&1; then
  if [ -n "${BASE_IMAGE:-}" ]; then
    docker pull --quiet "$BASE_IMAGE"
  else
    if ! command -v debootstrap >/dev/null; then
      say "installing debootstrap"
      export DEBIAN_FRONTEND=noninteractive
      apt-get update -qq
      apt-get install -y -qq --no-install-recommends debootstrap >/dev/null
    fi
    say "making $base with debootstrap"
    debootstrap --variant=minbase --include=python3,python3-venv,python3-pip,ca-certificates bookworm "$work/rootfs" >"$work/debootstrap.log" ||
      { tail -n 20 "$work/debootstrap.log" >&2; exit 1; }
    rm -rf "$work"/rootfs/var/cache/apt/archives/*.deb "$work"/rootfs/var/lib/apt/lists/*
    tar -C "$work/rootfs" -c . | docker import - "$base" >/dev/null
    rm -rf "$work/rootfs"
  fi
fi

# wheels are chosen for the Python that asks for them, so it must be of the image's version
minor='import sys; print("%d.%d" % sys.version_info[:2])'
wanted=$(docker run --rm --network none --entrypoint python3 "$base" -c "$minor")
python=
for candidate in ${PYTHON:-} "$ROOT/.venv/bin/python" python3 "python$wanted"; do
  if [ "$("$candidate" -c "$minor" 2>/dev/null)" = "$wanted" ] && "$candidate" -m pip --version >/dev/null 2>&1; then
    python=$candidate
    break
  fi
done
if [ -z "$python" ]; then
  say "found no Python $wanted with pip, which is what $base has; name one in PYTHON" >&2
  exit 1
fi

# under a name of its own where they are no whole environment
wheels=$CACHE/${extended:+more-}wheels-$wanted-${requirements:0:16}
if [ ! -e "$wheels/complete" ]; then
  say "collecting wheels with $python"
  mkdir -p "$wheels"
  if [ -z "$extended" ]; then
    "$python" -m pip download -qq --only-binary :all: --dest "$wheels" --requirement "$ENVIRONMENT/requirements.txt"
  else
    # what is pinned and nothing that it needs, which is pinned too or in the base; some packages are there as sources alone
    "$python" -m pip wheel -qq --no-deps --wheel-dir "$wheels" --requirement "$ENVIRONMENT/requirements.txt"
  fi
  # what a bake.py reads, of which no dependency is wanted
  [ ! -e "$ENVIRONMENT/wheels.txt" ] || "$python" -m pip wheel -qq --no-deps --wheel-dir "$wheels" --requirement "$ENVIRONMENT/wheels.txt"
  touch "$wheels/complete"
fi

# hard links where the disk is the same: torch alone is hundreds of megabytes
cp -l "$wheels"/*.whl "$work/" 2>/dev/null || cp "$wheels"/*.whl "$work/"
cp -r "$ENVIRONMENTS/Dockerfile" "$ENVIRONMENTS/make.py" "$ENVIRONMENT" "$work/"
printf '[global]\nno-index = true\n' >"$work/pip.conf"

say "building $TAG from $base"
docker buildx version >/dev/null 2>&1 || export DOCKER_BUILDKIT=0
docker build --quiet --network none --tag "$TAG" \
  --label "$LABEL=$build" --build-arg BASE_IMAGE="$base" --build-arg ENVIRONMENT="$NAME" --build-arg REQUIREMENTS_SHA256="$requirements" "$work" >/dev/null
say "$TAG is built"
