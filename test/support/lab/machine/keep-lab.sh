#!/bin/bash
# keep-lab.sh DIRECTORY NAME: the namespaces of a lab, for as long as standard input is open. Whoever holds the other end
# may be killed in any way: the end of its pipe ends the lab, the kernel ends every process, mount and link in it, and
# what is left (control groups, the directory) is removed here.
set -u
here=$(dirname "$(readlink -f "$0")")
directory=$1 name=$2
groups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)/$name

# When this shell itself is killed, so is the lab: the kernel tells unshare, and unshare its child.
setpriv --pdeathsig KILL -- unshare --mount --net --pid --fork --kill-child --propagation private \
  "$here/lab-init.sh" "$directory" <&- &
lab=$!

leave() {
  kill -KILL "$lab" 2>/dev/null
  wait "$lab" 2>/dev/null
  for _ in $(seq 50); do
    [ -d "$groups" ] || break
    find "$groups" -depth -type d -exec rmdir {} + 2>/dev/null
    [ -d "$groups" ] || break
    sleep 0.1
  done
  rm -rf --one-file-system "$directory"
}
trap leave EXIT
trap 'exit 1' TERM INT HUP

for _ in $(seq 100); do
  [ -s "$directory/lab.pid" ] && break
  kill -0 "$lab" 2>/dev/null || { echo "the namespaces of the lab cannot be made" >&2; exit 1; }
  sleep 0.05
done
pid=$(cat "$directory/lab.pid")

# One end of the link is in this network, the other in the lab's, so it goes when the lab goes. Its name is taken by
# whoever makes it first: that is how labs beside each other find networks of their own.
for number in $(seq 1 250); do
  ip -4 -o addr show 2>/dev/null | grep -qF " 10.77.$number." && continue
  ip link add "homelab$number" type veth peer name uplink netns "$pid" 2>/dev/null || continue
  ip addr add "10.77.$number.1/24" dev "homelab$number" && ip link set "homelab$number" up &&
    nsenter -t "$pid" -n sh -c 'ip link set uplink master bridge0 && ip link set uplink up' || exit 1
  echo "ready $pid 10.77.$number"
  # Until the test run is over.
  cat >/dev/null
  exit 0
done
echo "there is no network left for the lab" >&2
exit 1
