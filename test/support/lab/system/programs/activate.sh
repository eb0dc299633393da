#!/bin/bash
# As the activation script of NixOS: /etc first, then snippets of which each may fail, and last the link that says what runs.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
out=@out@
behaviour() { :; }
# shellcheck disable=SC1091 # generated
. "$out/lab/behaviour"
status=0

replace() { ln -sfn "$1" "$2.tmp" && mv -T "$2.tmp" "$2"; }
replace "$(readlink -f $out/etc)" /etc/static
for entry in /etc/static/*; do
  name=${entry##*/}
  [ "$name" = systemd ] || replace "/etc/static/$name" "/etc/$name"
done
behaviour afterEtc

if [ -n "${failingSnippet:-}" ]; then
  printf "Activation script snippet '%s' failed (%s)\n" "$failingSnippet" 1
  status=2
fi
replace "$out" /run/current-system
exit $status
