#!/bin/bash
# Behaves as switch-to-configuration-ng of nixpkgs does to whoever runs it: actions, exit codes, output, the order of
# steps, what it leaves in /run/nixos when it is killed, and what systemd forgets by it. What it takes for a changed unit
# is simpler: a unit file with another text.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
out=@out@ action=${1:-}
behaviour() { :; }
hasCheck=1 lockWaits=0 bootFailure=1
# shellcheck disable=SC1091 # generated
. "$out/lab/behaviour"
say() { printf '%s\n' "$*" >&2; }
lists=/run/nixos
mkdir -p $lists

case $action in
  switch | boot | test | dry-activate) ;;
  check) [ "$hasCheck" = 1 ] || action= ;;
  *) action= ;;
esac
if [ -z "$action" ]; then
  say "Usage: $0 [check|switch|boot|test|dry-activate]"
  exit 1
fi

exec 9>$lists/switch-to-configuration.lock
if [ "$lockWaits" = 1 ]; then
  flock 9
elif ! flock -n 9; then
  say "Could not acquire lock"
  exit 11
fi
behaviour begin

if [ "$hasCheck" = 1 ] && [ "$action" != dry-activate ] && [ -n "${preSwitchCheckFails:-}" ] &&
  { [ "$action" != boot ] || [ "$preSwitchCheckFails" = always ]; }; then
  say "Pre-switch checks failed"
  exit 1
fi
[ "$action" != check ] || exit 0

if [ "$action" = boot ] || [ "$action" = switch ]; then
  if [ -n "${bootExit:-}" ]; then exit "$bootExit"; fi
  "$out/bin/install-boot-loader" || { say "Failed to install bootloader"; exit "$bootFailure"; }
  [ "$action" = switch ] || exit 0
fi

if ! cmp -s "$out/init-interface-version" /run/current-system/init-interface-version; then
  say "Warning: the new NixOS configuration has an 'init' that is incompatible with the current configuration."
  exit 100
fi

# ---- units

declare -A stop=() start=() restart=() reload=() skipped=() wasActive=()
record() { echo "$2" >>"$lists/$1-list"; }
readList() {
  local unit
  [ -e "$lists/$1-list" ] || return 0
  while read -r unit; do [ -z "$unit" ] || eval "$1[\$unit]=1"; done <"$lists/$1-list"
}
# What a switch that was killed had still to do.
for list in start restart reload; do readList $list; done

fileOf() { # fileOf DIRECTORY UNIT: the unit's file there, or its template's
  if [ -e "$1/$2" ]; then echo "$1/$2"; return; fi
  case $2 in
    *@*.*) [ ! -e "$1/${2%%@*}@.${2##*.}" ] || echo "$1/${2%%@*}@.${2##*.}" ;;
  esac
}
isSet() { grep -q "^$2=$3$" "$1"; }

while read -r unit _ active _; do
  case $active in active | activating | reloading) ;; *) continue ;; esac
  wasActive[$unit]=1
  old=$(fileOf /etc/systemd/system "$unit") new=$(fileOf $out/etc/systemd/system "$unit")
  [ -n "$old" ] || continue
  if [ -z "$new" ] || [ "$(readlink -f "$new")" = /dev/null ]; then
    isSet "$old" X-StopOnRemoval false || stop[$unit]=1
    continue
  fi
  case $unit in
    sysinit-reactivation.target) continue ;;
    *.target)
      # Starting it again starts whatever it wants and that is not active: new units, and oneshots that have ended.
      case $unit in suspend.target | hibernate.target | hybrid-sleep.target) ;; *) start[$unit]=1; record start "$unit" ;; esac
      continue
      ;;
  esac
  if cmp -s "$old" "$new"; then continue; fi
  if isSet "$new" X-ReloadIfChanged true; then
    reload[$unit]=1
    record reload "$unit"
  elif isSet "$new" X-RestartIfChanged false || isSet "$new" RefuseManualStop true; then
    skipped[$unit]=1
  elif isSet "$new" X-StopIfChanged false; then
    restart[$unit]=1
    record restart "$unit"
  else
    stop[$unit]=1
    start[$unit]=1
    record start "$unit"
  fi
done < <(systemctl list-units --all --full --plain --no-legend)

joined() { printf '%s\n' "$@" | sort | paste -sd, | sed 's/,/, /g'; }
would=
[ "$action" != dry-activate ] || would="would "
announce() { [ $# -lt 2 ] || say "$would$1 $(joined "${@:2}")"; }

announce "stop$([ -n "$would" ] || echo ping) the following units:" "${!stop[@]}"
if [ "$action" = dry-activate ]; then
  announce "restart the following units:" "${!restart[@]}"
  exit 0
fi
[ ${#stop[@]} -eq 0 ] || systemctl stop -- "${!stop[@]}"
behaviour afterStop
announce "NOT restarting the following changed units:" "${!skipped[@]}"

exit=0
say "activating the configuration..."
if [ -e $out/activate ]; then
  $out/activate "$out" 9>&- || { say "Failed to run activate script"; exit=2; }
fi
behaviour afterActivate

if [ "$(readlink -f $out/systemd)" != "$(cat $lists/lab-systemd 2>/dev/null || readlink -f /run/booted-system/systemd)" ]; then
  say "restarting systemd..."
  systemctl daemon-reexec
  readlink -f $out/systemd >$lists/lab-systemd
fi
# All that had failed is forgotten, and NRestarts is 0 again.
systemctl reset-failed
systemctl daemon-reload
busctl call org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager ListUsers >/dev/null 2>&1 ||
  { say "Unable to list users with logind"; exit 11; }
say "restarting sysinit-reactivation.target"
systemctl restart sysinit-reactivation.target || { say "Failed to restart sysinit-reactivation.target"; exit=4; }
behaviour beforeStart

each() { # each VERB HEADING UNIT…
  local verb=$1 heading=$2 unit shown=()
  shift 2
  for unit; do case $unit in *.target) ;; *) shown+=("$unit") ;; esac; done
  announce "$heading the following units:" "${shown[@]}"
  local pids=() units=() index
  for unit; do
    systemctl "$verb" -- "$unit" 2>/dev/null 9>&- &
    pids+=($!) units+=("$unit")
  done
  for index in "${!pids[@]}"; do
    wait "${pids[$index]}" || { say "Failed to $verb ${units[$index]}"; exit=4; }
  done
}
[ ${#reload[@]} -eq 0 ] || each reload reloading "${!reload[@]}"
rm -f $lists/reload-list
[ ${#restart[@]} -eq 0 ] || each restart restarting "${!restart[@]}"
rm -f $lists/restart-list
[ ${#start[@]} -eq 0 ] || each start starting "${!start[@]}"
rm -f $lists/start-list

# It looks once, a quarter of a second later: what fails then is not seen.
sleep 0.25
failed=() fresh=()
while read -r unit _ active sub _; do
  if [ "$active" = failed ] || { [ "$active" = activating ] && [ "$sub" = auto-restart ]; }; then failed+=("$unit"); fi
  if [ "$active" = active ] && [ -z "${wasActive[$unit]:-}" ] && [ -z "${start[$unit]:-}" ]; then
    case $unit in *.device | *.scope | *.slice | sysinit-reactivation.target) ;; *) fresh+=("$unit") ;; esac
  fi
done < <(systemctl list-units --all --full --plain --no-legend)
announce "the following new units were started:" "${fresh[@]}"
if [ ${#failed[@]} -gt 0 ]; then
  say "warning: the following units failed: $(joined "${failed[@]}")"
  systemctl status --no-pager --full -- "${failed[@]}"
  exit=4
fi
behaviour end
[ -z "${testExit:-}" ] || exit "$testExit"
exit $exit
