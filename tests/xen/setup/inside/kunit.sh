#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# kunit.sh LINUX KERNEL: our small kernel for guests, with KUnit and the checks that are cheap enough
set -eu
linux=$1 kernel=$2
fragment=/xenoxide/tests/xen/setup/kunit.config
config=$kernel/build/.config
ln -s "$linux/source" "$kernel/source"
mkdir "$kernel/build"
set -- -C "$linux/source" O="$kernel/build" -j"$(nproc)"
make "$@" tinyconfig
cat "$fragment" >>"$config"
make "$@" olddefconfig
grep '^CONFIG_' "$fragment" | while IFS= read -r line; do
	case $line in
	*=n) ! grep -q "^${line%n}" "$config" ;;
	*) grep -qxF "$line" "$config" ;;
	esac || {
		echo "xenoxide: the kernel's own rules refuse $line of kunit.config" >&2
		exit 1
	}
done
make "$@" bzImage modules
make "$@" INSTALL_MOD_PATH="$kernel/modules" modules_install
cp "$kernel/build/arch/x86/boot/bzImage" "$kernel/vmlinuz"
cp "$kernel/build/include/config/kernel.release" "$kernel/release"
# Modules are built without the kernel's objects.
find "$kernel/build" \( -path "$kernel/build/scripts" -o -path "$kernel/build/tools" \) -prune -o \
	-type f \( -name '*.o' -o -name '*.a' -o -name '.*.cmd' -o -name 'vmlinux*' \) -exec rm {} +
