# SPDX-License-Identifier: GPL-2.0
# clang and its tools: Rust's kernel with KASAN is built by nothing else. The build root has the
# libraries that they need; for `make test T=kasan` only, so it does not have them.
# shellcheck shell=bash

key_llvm() {
	hash "$setup/archive.sh" "$setup/llvm.sh" "$setup/packages.llvm"
}

make_llvm() {
	local deb
	mkdir -p "$1/debs"
	(
		private_apt "$1/apt"
		cd "$1/debs" || exit
		list "$setup/packages.llvm" | xargs apt-get download
	)
	# The names have the versions.
	(cd "$1/debs" && printf '%s\n' *.deb) >"$1/id"
	for deb in "$1"/debs/*.deb; do
		dpkg-deb -x "$deb" "$1"
	done
	rm -rf "$1/apt" "$1/debs" "${1:?}/usr/share"
}

# llvm_bin: where they are in the build root, as kbuild's LLVM= takes it
llvm_bin() {
	local folder
	folder=$(path llvm)
	printf '/cache/%s/usr/lib/llvm-19/bin/' "${folder##*/}"
}
