#!/usr/bin/env bash
# Installs Chromium on a bare Debian machine, as root: the tests of pages open them in it.
set -euo pipefail

if ! command -v chromium >/dev/null; then
  echo "chromium: installing"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends chromium >/dev/null
fi
chromium --version
