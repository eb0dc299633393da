#!/usr/bin/env bash
# Times the three commands of README.md, from a checkout on a Debian machine with systemd to a build of one's own flake. Run
# it as root on a machine that can be thrown away, in a checkout that everybody can read:
#   test/tools/time-setup.sh [URL]      the repo to build (default: two hosts without nixpkgs, made in /srv)
# What apt and npm would download is fetched before, and its time is printed by itself.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.."
url=${1-}

# timed WHAT COMMAND…
timed() {
  local what=$1 start end
  shift
  start=$(date +%s%N)
  "$@" >>/tmp/time-setup.log 2>&1 || { echo "FAILED: $what"; tail -40 /tmp/time-setup.log; exit 1; }
  end=$(date +%s%N)
  printf '%7.1f s  %s\n' "$(((end - start) / 100000000))e-1" "$what"
}

download() {
  apt-get update -qq
  apt-get install --yes --download-only --no-install-recommends git nix-bin nats-server nix-setup-systemd
  local copy
  copy=$(mktemp -d)
  cp package.json package-lock.json .npmrc "$copy"
  (cd "$copy" && npm ci --loglevel=error --no-update-notifier)
  rm -rf "$copy"
}

# The sample flake that `init --demo` has, as a repository of one's own.
sample() {
  bin/homelab-deploy init --demo /tmp/time-setup-demo >/dev/null
  git clone --quiet "$(echo /tmp/time-setup-demo/*/.git | head -1)" /srv/fleet
}

start=$(date +%s)
timed "download the packages of Debian and npm" download
echo "already fetched from here on:"
start=$(date +%s)
timed "bin/setup --no-tests" bin/setup --no-tests
[ -n "$url" ] || { sample && url=/srv/fleet; }
timed "bin/homelab-deploy init" bin/homelab-deploy init --yes --repo "$url" /root/homelab
timed "install.sh" /root/homelab/install.sh
echo "$(($(date +%s) - start)) s from the checkout to the first build"
tail -5 /tmp/time-setup.log
