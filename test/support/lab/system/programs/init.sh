#!/bin/bash
# Stage 2 of a boot: this system is the booted one, is activated, and systemd takes over.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
ln -sfn @out@ /run/booted-system
LAB_BOOTING=1 @out@/activate
exec /lib/systemd/systemd --system --unit=multi-user.target --log-target=console --show-status=0
