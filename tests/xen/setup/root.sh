# SPDX-License-Identifier: GPL-2.0
# The build root: Debian 13 with every tool that is used, so that the machine's own do not matter.
# shellcheck shell=bash

key_root() {
	hash "$setup/root.sh" "$setup/inside/root.sh" "$setup/packages.root"
}

make_root() {
	bootstrap "$setup/packages.root" "$1" --variant=apt --format=directory
	contain sh "$setup/inside/root.sh" "$1"
}
