# SPDX-License-Identifier: GPL-2.0
# The programs that guests and dom0 use when a boot asks for them: a disk image of Debian's and of the
# kernel tree's tests, and below sdk/ what our own are made with.
# shellcheck shell=bash

key_tools() {
	hash "$(path root)/id" "$(path linux-7.2)/version" "$setup/tools.sh" "$setup/inside/tools.sh" "$setup/packages.tools"
}

make_tools() {
	mkdir -p "$1"
	bootstrap "$setup/packages.tools" "$1/tree" --variant=essential --format=directory
	await root linux-7.2
	enter "$(path linux-7.2)" /linux/7.2 -- sh /xenoxide/tests/xen/setup/inside/tools.sh "/cache/tmp/${1##*/}"
}
