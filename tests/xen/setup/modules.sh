# SPDX-License-Identifier: GPL-2.0
# What is built from the clone: modules for each kernel, and the test bed.
# shellcheck shell=bash

# kbuild NAME ARGUMENT...: make for our modules, against a kernel of the cache
kbuild() {
	local name=$1 arguments=()
	shift
	[ "$name" = kunit ] || arguments=(CC=x86_64-linux-gnu-gcc-14 "KERNELRELEASE=$(cat "$(path "$name")/release")")
	enter_ready make -s --no-print-directory -C "/kernel/$name/build" M=/xenoxide -j"$(nproc)" "${arguments[@]}" "$@"
}

make_modules-stock() {
	kbuild stock MO=/xenoxide/build/stock modules
}

make_modules-kunit() {
	kbuild kunit MO=/xenoxide/build/kunit modules
}

make_modules-next() {
	kbuild next MO=/xenoxide/build/next modules
}

make_bed() {
	enter_ready sh -c 'cd tests && exec cargo build --quiet --release --locked --bins'
}

make_pageshare() {
	enter_ready sh -c 'cd tests && cargo build --quiet --release --locked --package pageshare &&
		cp ../build/cargo/x86_64-unknown-linux-gnu/release/pageshare ../build/pageshare'
}

# cargo_run PACKAGE ARGUMENT...: with this shell's own terminal and input
cargo_run() {
	local package=$1
	shift
	# shellcheck disable=SC2016
	enter_ready sh -c 'cd tests && exec cargo run --quiet --release --locked --package "$@"' sh "$package" -- "$@"
}

# rust_analyzer: an editor sees the build root's files where the machine has them
rust_analyzer() {
	kbuild stock MO=/xenoxide/build/stock rust-analyzer
	sed -e "s|/xenoxide|$clone|g" -e "s|\"/linux/7.2|\"$(path linux-7.2)|g" \
		-e "s|\"/kernel/stock|\"$(path stock)|g" -e "s|\"/usr/|\"$(path root)/usr/|g" \
		"$clone/build/stock/rust-project.json" >"$clone/rust-project.json"
	note "wrote $clone/rust-project.json"
}
