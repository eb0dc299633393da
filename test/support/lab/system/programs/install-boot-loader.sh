#!/bin/bash
# As the builder of systemd-boot (systemd-boot-builder.py in nixpkgs): an entry for each of the newest generations of the
# profile, and a new default only when the system that is asked for is among them. Without that it changes nothing and
# exits with 0.
set -e
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
out=@out@
behaviour() { :; }
configurationLimit=0
# shellcheck disable=SC1091 # generated
. "$out/lab/behaviour"
behaviour beforeBootLoader
[ "${bootWritesNothing:-0}" = 0 ] || exit 0

profiles=/nix/var/nix/profiles loader=/boot/loader
mkdir -p $loader/entries /boot/EFI/nixos
mapfile -t generations < <(cd $profiles 2>/dev/null && ls -d system-*-link 2>/dev/null | sed 's/[^0-9]//g' | sort -n)
[ "$configurationLimit" -eq 0 ] || [ ${#generations[@]} -le "$configurationLimit" ] ||
  generations=("${generations[@]: -$configurationLimit}")

# copy FILE: its name on the partition, the file with it where it is not there yet
copy() {
  local source name
  source=$(readlink -f "$1")
  name=${source#/nix/store/}
  name=EFI/nixos/${name//\//-}.efi
  used+=" $name"
  [ -e "/boot/$name" ] || { cp "$source" "/boot/$name.tmp" && mv "/boot/$name.tmp" "/boot/$name"; }
  copied=/$name
}

used=" " entries=" "
for generation in "${generations[@]}"; do
  system=$(readlink -f "$profiles/system-$generation-link")
  [ -e "$system/kernel" ] || continue
  entry=nixos-generation-$generation.conf
  copy "$system/kernel"
  kernel=$copied
  copy "$system/initrd"
  printf '%s\n' "title NixOS" "version Generation $generation" "linux $kernel" "initrd $copied" \
    "options init=$system/init $(cat "$system/kernel-params")" >"$loader/entries/$entry.tmp"
  mv "$loader/entries/$entry.tmp" "$loader/entries/$entry"
  entries+="$entry "
  if [ "$system" = "$out" ]; then
    # Made only where it is not there: what a power cut left makes every later installation fail.
    set -o noclobber
    printf '%s\n' "timeout 5" "default $entry" >$loader/loader.tmp || exit 1
    set +o noclobber
    behaviour beforeDefault
    mv $loader/loader.tmp $loader/loader.conf
  fi
done
for file in "$loader"/entries/nixos-generation-*.conf; do
  [[ $entries == *" ${file##*/} "* ]] || rm -f "$file"
done
for file in /boot/EFI/nixos/*.efi; do
  [[ "$used " == *" ${file#/boot/} "* ]] || rm -f "$file"
done
sync -f /boot
