# Restarts the builder when it runs another program or configuration than it should, as soon as it has nothing to do:
# evaluating, building and fetching are all done by processes that it starts. Needs $WANTED, the command line that
# the unit has now.
set -eu
unit=homelab-deploy-builder.service
cgroups=${CGROUPS:-/sys/fs/cgroup}
proc=${PROC:-/proc}
pause=${PAUSE:-10}

is_outdated() {
  pid=$(systemctl show --property MainPID --value "$unit")
  [ "$pid" != 0 ] && [ -r "$proc/$pid/cmdline" ] || return 1
  # The last words say which configuration; the first, after the wrapper, which package.
  running=$(tr '\0' ' ' <"$proc/$pid/cmdline")
  package=${WANTED%%/bin/*}
  configuration=${WANTED#*--config }
  case $running in
    *"$package"*"$configuration"*) return 1 ;;
  esac
}

is_idle() {
  group=$(systemctl show --property ControlGroup --value "$unit")
  [ "$(wc -l <"$cgroups$group/cgroup.procs")" -le 1 ]
}

while is_outdated; do
  if is_idle; then
    echo "the builder is idle and outdated: restarting it"
    systemctl restart "$unit"
    exit
  fi
  sleep "$pause"
done
