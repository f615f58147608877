#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# install.sh KDIR MAKE...: installs the modules for the kernel of a build folder. A folder without
# the metadata of the kernel's crates, as Debian's headers are, takes those that `make` built for
# Debian's kernel, if that is the one.
set -eu
kdir=$1
shift
destdir=${DESTDIR:-}
if [ -e "$kdir/rust/libkernel.rmeta" ]; then
	release=$(cat "$kdir/include/config/kernel.release")
	"$@" modules
	# Whoever has a key for modules signs them; a missing one is no reason to fail.
	"$@" INSTALL_MOD_PATH="$destdir" INSTALL_MOD_DIR=updates CONFIG_MODULE_SIG_ALL= modules_install
else
	release=$(basename "$(dirname "$kdir")")
	for module in build/stock/*.ko; do
		if [ "$(modinfo -F vermagic "$module" 2>/dev/null | cut -d' ' -f1)" != "$release" ]; then
			echo "no modules for $release: build them with KDIR=a built kernel of that release with CONFIG_RUST, or run Debian's kernel that \`make\` builds for" >&2
			exit 1
		fi
		install -D -m 644 "$module" "$destdir/lib/modules/$release/updates/${module##*/}"
	done
fi
install -D -m 644 balloon/xenballoon.conf "$destdir/etc/modprobe.d/xenballoon.conf"
depmod -b "$destdir/" "$release"
echo "installed for $release"
