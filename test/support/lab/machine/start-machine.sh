#!/bin/bash
# start-machine.sh NAME LAB HOST: boots a host, inside the lab's namespaces, in a control group of its own: several systemds
# in one would kill each other's processes.
set -e
groups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)/$1/$3
mkdir -p "$groups"
echo 0 >"$groups/cgroup.procs"
exec unshare --mount --pid --uts --ipc --net --cgroup --fork --kill-child --propagation private \
  "$(dirname "$0")/machine.sh" "$2" "$3" boot
