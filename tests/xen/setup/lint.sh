# SPDX-License-Identifier: GPL-2.0
# make lint: form, clippy, warnings as errors, shellcheck, SPDX lines
# shellcheck shell=bash

lint() {
	spdx
	enter_ready sh /xenoxide/tests/xen/setup/inside/lint.sh
	lock "$clone/build/lock" --exclusive "builds in this clone"
	kbuild stock MO=/xenoxide/build/lint CLIPPY=1 W=1e modules
	note "lint found nothing"
}

# spdx: the licence stands in the first line, after #! in the second
spdx() {
	local file bad=0
	while IFS= read -r -d '' file; do
		head -n 2 "$clone/$file" | grep -q 'SPDX-License-Identifier: GPL-2.0' || {
			note "no SPDX line: $file"
			bad=1
		}
	done < <(cd "$clone" && find . \( -name .git -o -path ./build -o -name target \) -prune -o -type f \
		! -name LICENSE ! -name Cargo.lock ! -name '*.md' ! -name '*.json' ! -name '*.svg' ! -name '*.png' ! -name '*.trace' -print0)
	[ "$bad" = 0 ] || die "give each file its SPDX line"
}
