#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# lint.sh: what can be checked without building the modules
set -eu
shellcheck -x -a .ci/run tests/xen/setup/main.sh tests/xen/setup/install.sh tests/xen/setup/inside/*.sh \
	tests/xen/src/scripts/* pageshare/initramfs/*
find rust balloon xensock pageshare tests/hostile tests/kunit -name '*.rs' \
	-not -path 'rust/calls/*' -not -path 'pageshare/tool/*' -exec rustfmt --check --edition 2021 \
	--config-path /linux/7.2/source/.rustfmt.toml {} +
cd tests
cargo fmt --all --check
cargo clippy --quiet --locked --release --all-targets -- -D warnings
