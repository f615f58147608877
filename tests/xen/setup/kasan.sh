# SPDX-License-Identifier: GPL-2.0
# The KUnit kernel with KASAN, and the modules for it. Only a PVH guest can boot it.
# shellcheck shell=bash

# The kernel is made like the KUnit kernel, in its place, from a fragment of its own.
make_kasan() {
	mkdir -p "$1"
	cp "$(path linux-7.2)/release" "$1"
	kasan_fragment >"$1/fragment"
	enter "$(path linux-7.2)" /linux/7.2 "$1" /kernel/kunit "$1/fragment" /xenoxide/tests/xen/setup/kunit.config -- \
		env MAKEFLAGS="$(kasan_variables)" sh /xenoxide/tests/xen/setup/inside/kunit.sh /linux/7.2 /kernel/kunit
}

make_modules-kasan() {
	enter "$(path linux-7.2)" /linux/7.2 "$(path kasan)" /kernel/kunit -- \
		make -s --no-print-directory -C /kernel/kunit/build M=/xenoxide MO=/xenoxide/build/kasan -j"$(nproc)" \
		LLVM="$(llvm_bin)" modules
}

# kasan_fragment: kunit.config, but kasan.config where that says something of the same
kasan_fragment() {
	grep -vE "^($(grep -Eo '^CONFIG_[A-Z0-9_]+' "$setup/kasan.config" | paste -sd'|'))=" "$setup/kunit.config"
	cat "$setup/kasan.config"
}

# kasan_variables: for make, as on its command line. clang would instrument what runs before there
# is a shadow of the memory.
kasan_variables() {
	local file name
	printf 'LLVM=%s' "$(llvm_bin)"
	for file in "$(path linux-7.2)"/source/{arch/x86/xen/*.c,drivers/xen/features.c,lib/string.c}; do
		name=${file##*/}
		printf ' KASAN_SANITIZE_%s.o=n' "${name%.c}"
	done
}
