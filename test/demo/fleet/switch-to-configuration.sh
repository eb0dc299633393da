#!/bin/sh
# What NixOS's program of this name does to a machine, done to a pretended host: the directory $PRETENDED_HOST. It touches
# nothing else.
set -eu
host=${PRETENDED_HOST:?this program only changes a pretended host}
system=${0%/bin/switch-to-configuration}

case $1 in
  check) ;;
  test)
    echo "activating the configuration of the pretended host..."
    ln -sfn "$system/etc" "$host/etc/static"
    rm -rf "$host/run/units"
    mkdir "$host/run/units"
    for unit in "$system"/etc/systemd/system/*.service; do
      echo "starting ${unit##*/}"
      echo active > "$host/run/units/${unit##*/}"
    done
    ln -sfn "$system" "$host/run/current-system"
    ;;
  boot)
    mkdir -p "$host/boot/extlinux"
    printf 'DEFAULT nixos-default\nLABEL nixos-default\n  APPEND init=%s/init\n' "$system" > "$host/boot/extlinux/new"
    mv "$host/boot/extlinux/new" "$host/boot/extlinux/extlinux.conf"
    ;;
  *)
    echo "Usage: switch-to-configuration check|test|boot" >&2
    exit 1
    ;;
esac
