# SPDX-License-Identifier: GPL-2.0
# Words that every other file here uses.
# shellcheck shell=bash

die() {
	printf 'xenoxide: %s\n' "$*" >&2
	exit 1
}

note() {
	printf 'xenoxide: %s\n' "$*" >&2
}

# list FILE: the words of a list, without its comments
list() {
	grep -v '^#' "$1"
}

# hash FILE...: a short key of the files' contents
hash() {
	cat -- "$@" | sha256sum | cut -c1-12
}

# step_field NAME COLUMN: what the table of steps says of a step
step_field() {
	awk -v name="$1" -v column="$2" '$1 == name {
		if (column < 5) print $column
		else { sub(/^[^ ]+ +[^ ]+ +[^ ]+ +[^ ]+ +/, ""); print }
	}' "$setup/steps"
}

# clock SECONDS
clock() {
	printf '%d:%02d' $(($1 / 60)) $(($1 % 60))
}
