# SPDX-License-Identifier: GPL-2.0
# Root file systems that guests share: the same packages of two releases of Debian, as directories.
# shellcheck shell=bash

key_trees() {
	hash "$setup/trees.sh" "$setup/packages.trees"
}

make_trees() {
	local release
	mkdir -p "$1"
	for release in trixie bookworm; do
		# shellcheck disable=SC2016
		bootstrap_release "$release" "$setup/packages.trees" "$1/$release" --variant=essential --format=directory \
			--customize-hook='for locale in en_US de_DE ja_JP; do
				chroot "$1" localedef -i $locale -f UTF-8 $locale.UTF-8
			done'
	done
}
