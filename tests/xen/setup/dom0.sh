# SPDX-License-Identifier: GPL-2.0
# dom0's root file system: Xen's tools, no kernel, nothing of ours.
# shellcheck shell=bash

key_dom0() {
	hash "$setup/dom0.sh" "$setup/inside/dom0.sh" "$setup/packages.dom0"
}

make_dom0() {
	bootstrap "$setup/packages.dom0" "$1.tar" --variant=essential --format=tar
	await root
	enter -- sh /xenoxide/tests/xen/setup/inside/dom0.sh "/cache/tmp/${1##*/}"
}
