#!/bin/bash
# lab-init.sh DIRECTORY: the first process of a lab. /proc stays that of the machine, so that it tells pids as tests know
# them. The disks of the hosts are on one tmpfs out here: an overlay on the machine's own overlay would be refused.
set -e
directory=$1
mkdir -p "$directory/disks"
mount -t tmpfs -o mode=755 tmpfs "$directory/disks"
ip link set lo up
ip link add bridge0 type bridge
ip link set bridge0 up
read -r pid _ </proc/self/stat
echo "$pid" >"$directory/lab.pid.new"
mv "$directory/lab.pid.new" "$directory/lab.pid"
# A shell that waits also takes the orphans that come to it.
while :; do
  sleep 1000 &
  wait
done
