#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# mount.sh ROOT [FROM TO]... -- COMMAND...: the first process of a set of namespaces of its own.
# Mounts what the build root needs, runs the command in it, and takes all along when it ends.
set -eu
root=$1
shift

mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc" 2>/dev/null || mount --rbind /proc "$root/proc"
for writable in tmp var/tmp run; do
	mount -t tmpfs -o mode=1777 "$writable" "$root/$writable"
done
# Names are found as the machine finds them, and it may trust more than Debian does.
for file in resolv.conf hosts ssl/certs/ca-certificates.crt; do
	if [ -s "/etc/$file" ]; then
		mount --bind "$(readlink -f "/etc/$file")" "$root/etc/$file"
	fi
done
while [ "$1" != -- ]; do
	mount --bind "$1" "$root$2"
	shift 2
done
shift

# Not exec: as the first process the command would be deaf to signals.
# shellcheck disable=SC2016
chroot "$root" /bin/sh -c 'cd /xenoxide; exec "$@"' sh "$@" || exit $?
