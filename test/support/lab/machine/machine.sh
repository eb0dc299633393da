#!/bin/bash
# machine.sh LAB HOST boot          a host from its disk, systemd as process 1 (in namespaces of its own)
# machine.sh LAB HOST run COMMAND…  one command on its disk, while the host is off
#
# LAB is the lab's directory. A host's root is an overlay over this machine's, with a Nix store, a /boot and an /etc/systemd
# of its own; the checkout is at /opt/homelab-deploy and the lab's shared directory at /lab.
set -e
lab=$1 host=$2 mode=$3
shift 3
disk=$lab/disks/$host
root=$disk/root
checkout=$(readlink -f "$(dirname "$0")/../../../..")

mkdir -p "$disk"/{upper,work,root,nix,boot}
if [ "$mode" = boot ]; then
  read -r pid _ </proc/self/stat
  rm -f "$lab/shared/$host.pid"
  echo "$pid" >"$lab/shared/$host.new" && mv "$lab/shared/$host.new" "$lab/shared/$host.began"
fi
mount -t overlay overlay -o "lowerdir=/,upperdir=$disk/upper,workdir=$disk/work" "$root"

mkdir -p "$root"/{nix,boot,lab,opt/homelab-deploy,efi}
mount --bind "$disk/nix" "$root/nix"
mount --bind "$disk/boot" "$root/boot"
mount --bind "$lab/shared" "$root/lab"
mount --bind "$checkout" "$root/opt/homelab-deploy"
mount -o remount,bind,ro "$root/opt/homelab-deploy"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
chmod 1777 "$root/tmp"
mkdir -p "$root/run/nixos" "$root/var/lib" "$root/var/log"

# Units come from the system alone; Debian's own are only those in /lib.
if [ ! -L "$root/etc/systemd/system" ]; then
  rm -rf "$root/etc/systemd/system" "$root/etc/fstab" "$root/etc/nix"
  ln -s /etc/static/systemd/system "$root/etc/systemd/system"
  mkdir -p "$root/etc/nix"
  printf '%s\n' 'experimental-features = nix-command flakes' 'sandbox = false' 'build-users-group =' 'substituters =' \
    'require-sigs = true' 'connect-timeout = 5' >"$root/etc/nix/nix.conf"
  tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
  echo "$host" >"$root/etc/hostname"
fi
ln -sf /lab/hosts "$root/etc/hosts"
# Most of what a host does is to start Node, and most of that is to compile the same modules.
mkdir -p "$root/etc/systemd/system.conf.d" "$root/var/cache/node"
chmod 1777 "$root/var/cache/node"
printf '[Manager]\nDefaultEnvironment=NODE_COMPILE_CACHE=/var/cache/node\n' >"$root/etc/systemd/system.conf.d/lab.conf"

mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir -p "$root"/dev/{pts,shm}
for node in null zero full random urandom tty; do
  touch "$root/dev/$node"
  mount --bind "/dev/$node" "$root/dev/$node"
done
ln -s /proc/self/fd "$root/dev/fd"
mount -t devpts devpts "$root/dev/pts" -o newinstance,ptmxmode=0666
ln -s pts/ptmx "$root/dev/ptmx"

if [ "$mode" = run ]; then
  mount --rbind /proc "$root/proc"
  exec env -i HOME=/root LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$root" "$@"
fi

touch "$root/dev/console"
mount -t proc proc "$root/proc"
# The kernel has one for all hosts, and theirs must change when they boot.
cat /proc/sys/kernel/random/uuid >"$disk/boot-id"
mount --bind "$disk/boot-id" "$root/proc/sys/kernel/random/boot_id"
# The lab plugs the cable in when it knows our pid.
for _ in $(seq 500); do
  ip link show eth0 >/dev/null 2>&1 && break
  sleep 0.02
done
ip link set lo up
ip addr add "$(awk -v host="$host" '$2 == host { print $1 }' "$lab/shared/hosts")/24" dev eth0
ip link set eth0 up
mount -t sysfs sysfs "$root/sys"
mkdir -p "$root/sys/fs/cgroup"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
hostname "$host"

mkdir -p "$root/run/systemd/system"
for unit in systemd-udevd systemd-udev-trigger systemd-udev-settle systemd-networkd systemd-resolved systemd-timesyncd \
  systemd-sysctl systemd-modules-load systemd-pcrphase systemd-pcrphase-sysinit getty@tty1 console-getty \
  systemd-remount-fs e2scrub_reap nix-daemon; do
  ln -s /dev/null "$root/run/systemd/system/$unit.service"
done
for unit in systemd-udevd-control.socket systemd-udevd-kernel.socket nix-daemon.socket dev-hugepages.mount \
  dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount \
  sys-fs-fuse-connections.mount proc-sys-fs-binfmt_misc.automount apt-daily.timer apt-daily-upgrade.timer \
  getty.target; do
  ln -s /dev/null "$root/run/systemd/system/$unit"
done

# The firmware and the boot loader: the default entry, and the system that it names.
entry=$(sed -n 's/^default //p' "$root/boot/loader/loader.conf" 2>/dev/null | tail -1)
system=$(sed -n 's/^options init=\(.*\)\/init\( .*\)*$/\1/p' "$root/boot/loader/entries/$entry" 2>/dev/null) || true
[ -n "$system" ] && [ -x "$root$system/init" ] || {
  echo "$host: the boot loader's default entry $entry boots nothing" >&2
  exit 1
}

cd "$root"
mkdir -p oldroot
pivot_root . oldroot
mv "/lab/$host.began" "/lab/$host.pid"
umount -l /oldroot
exec env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin "$system/init" </dev/null >/run/console.log 2>&1
