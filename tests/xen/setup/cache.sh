# SPDX-License-Identifier: GPL-2.0
# What is kept in the cache. A step NAME has a function make_NAME that makes it, for what is kept at
# the path that it is given, and then also key_NAME, which prints a hash of what it is made from.
# shellcheck shell=bash

kept() {
	declare -F "key_$1" >/dev/null
}

# log NAME: where its output goes; what is not kept belongs to the clone
log() {
	if kept "$1"; then
		printf '%s/logs/%s.log' "$cache" "$1"
	else
		printf '%s/build/log/%s.log' "$clone" "$1"
	fi
}

# path NAME: where the step's outcome is, or will be
path() {
	printf '%s/%s-%s' "$cache" "$1" "$("key_$1")"
}

# made NAME: not so while what its key is made from is not there either
made() {
	local key
	kept "$1" && key=$("key_$1" 2>/dev/null) && [ -e "$cache/$1-$key" ]
}

# await NAME...: until other steps are done
await() {
	local name
	for name in "$@"; do
		until made "$name"; do
			sleep 0.3
		done
	done
}

# run_step NAME: under a temporary name until it is whole
run_step() {
	local name=$1 tmp=$cache/tmp/$1 target began old
	local -a needs
	IFS=, read -ra needs <<<"$(step_field "$name" 4)"
	[ "${needs[0]}" = - ] || await "${needs[@]}"
	printf -v began '%(%s)T' -1
	printf '%s\n' "$began" >"$(log "$name").began"
	if kept "$name"; then
		target=$(path "$name")
		discard "$tmp" "$tmp".{tar,work}
		"make_$name" "$tmp"
		for old in "$cache/$name"-????????????; do
			[ ! -e "$old" ] || discard "$old"
		done
		[ "$target" = "$(path "$name")" ] || die "what $name is made from has changed meanwhile: start again"
		mv -T "$tmp" "$target"
	else
		"make_$name"
	fi
	# Whole or not at all: another clone may be reading it.
	printf '%s\n' $(($(date +%s) - began)) >"$cache/times/.$name.$$"
	mv "$cache/times/.$name.$$" "$cache/times/$name"
}

# lock FILE HOW WHY: waits for other runs, and says so
lock() {
	local descriptor
	exec {descriptor}<>"$1"
	if ! flock --nonblock "$2" "$descriptor"; then
		note "waiting for another run that $3"
		flock "$2" "$descriptor"
	fi
	locked=$descriptor
}

# any_missing NAME...: of what is kept
any_missing() {
	local name
	for name in "$@"; do
		! kept "$name" || made "$name" || return 0
	done
	return 1
}

# prepare NAME...: makes steps. While the cache changes nobody else uses it; from then until this
# run ends it stays as it is.
prepare() {
	local cache_lock
	lock "$cache/lock" --shared "fills the cache"
	cache_lock=$locked
	if any_missing "$@"; then
		flock --unlock "$cache_lock"
		lock "$cache/lock" --exclusive "uses the cache"
		cache_lock=$locked
		host_packages
	fi
	mkdir -p "$clone/build/log"
	lock "$clone/build/lock" --exclusive "builds in this clone"
	steps "$@"
	flock --unlock "$locked"
	flock --shared "$cache_lock"
}
