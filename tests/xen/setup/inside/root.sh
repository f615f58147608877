#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# root.sh ROOT: the places where things are mounted, and Xen as QEMU can start it
set -eu
cd "$1"
mkdir -p xenoxide cache images kernel/stock kernel/kunit kernel/next linux/7.2 linux/7.3
touch images/dom0.ext4 etc/resolv.conf etc/hosts
gunzip -c boot/xen-4.20-amd64.gz >boot/xen
sha256sum var/lib/dpkg/status | cut -c1-12 >id
