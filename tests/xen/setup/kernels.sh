# SPDX-License-Identifier: GPL-2.0
# The kernels that modules are built for: each a folder with release, build/ and source, and where
# it is there to be booted vmlinuz and modules/.
# shellcheck shell=bash

# key_kernel SERIES FILE...: the same compilers and the same source give the same kernel
key_kernel() {
	hash "$(path root)/id" "$(path "linux-$1")/version" "${@:2}"
}

key_stock() {
	key_kernel 7.2 "$setup/inside/stock.sh"
}

key_kunit() {
	key_kernel 7.2 "$setup/inside/kunit.sh" "$setup/kunit.config"
}

key_next() {
	key_kernel 7.3 "$setup/inside/stock.sh"
}

key_kasan() {
	key_kernel 7.2 "$setup/inside/kunit.sh" "$setup/kunit.config" "$setup/kasan.config" "$setup/kasan.sh" "$(path llvm)/id"
}

make_stock() {
	make_kernel stock.sh 7.2 stock "$1"
}

make_kunit() {
	make_kernel kunit.sh 7.2 kunit "$1"
}

make_next() {
	make_kernel stock.sh 7.3 next "$1"
}

# make_kernel RECIPE SERIES NAME TARGET
make_kernel() {
	local recipe=$1 series=$2 name=$3 target=$4
	mkdir -p "$target"
	cp "$(path "linux-$series")/release" "$target"
	enter "$(path "linux-$series")" "/linux/$series" "$target" "/kernel/$name" -- \
		sh "/xenoxide/tests/xen/setup/inside/$recipe" "/linux/$series" "/kernel/$name"
}
