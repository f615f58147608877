#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# stock.sh LINUX KERNEL: all that it takes to build modules for Debian's own kernel. Debian ships no
# metadata of the kernel's crates; the same source, configuration and compilers make it again.
set -eu
linux=$1 kernel=$2
release=$(cat "$kernel/release")
ln -s "$linux/source" "$kernel/source"
mkdir "$kernel/build"
cp "$linux/config" "$kernel/build/.config"
set -- -C "$linux/source" O="$kernel/build" KERNELRELEASE="$release" CC=x86_64-linux-gnu-gcc-14
make "$@" olddefconfig
if ! grep -qx CONFIG_RUST=y "$kernel/build/.config"; then
	echo "xenoxide: Debian's $release cannot be built for with the Rust of Debian 13" >&2
	exit 1
fi
make "$@" -j"$(nproc)" prepare modules_prepare
cp "$linux/Module.symvers" "$kernel/build/"

for vmlinuz in "$linux"/image/boot/vmlinuz-* "$linux"/image/usr/lib/modules/*/vmlinuz; do
	[ ! -f "$vmlinuz" ] || cp "$vmlinuz" "$kernel/vmlinuz"
done
for modules in "$linux"/image/lib/modules "$linux"/image/usr/lib/modules; do
	[ -d "$modules" ] || continue
	mkdir -p "$kernel/modules/lib"
	cp -a "$modules" "$kernel/modules/lib/"
	depmod -b "$kernel/modules" "$release"
done
