# SPDX-License-Identifier: GPL-2.0
# Runs steps at the same time, each as soon as those that it waits for are there, and shows how far
# they are.
# shellcheck shell=bash

declare -A running=() announced=()

# steps NAME...: makes what is missing, and always the steps of which nothing is kept
steps() {
	local name missing=()
	for name in "$@"; do
		made "$name" || missing+=("$name")
	done
	((${#missing[@]})) || return 0
	enough_space "${missing[@]}"
	trap stop_steps EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	for name in "${missing[@]}"; do
		start_step "$name"
	done
	while ((${#running[@]})); do
		sleep 0.2
		show
		for name in "${!running[@]}"; do
			kill -0 "${running[$name]}" 2>/dev/null || end_step "$name"
		done
	done
	clear_line
	trap - EXIT INT TERM HUP
}

# A process group of its own: it can be ended whole, and Ctrl-C reaches only us.
start_step() {
	local log
	log=$(log "$1")
	rm -f "$log.began"
	set -m
	setpriv --pdeathsig KILL bash "$setup/main.sh" step "$1" >"$log" 2>&1 </dev/null &
	running[$1]=$!
	set +m
}

end_step() {
	local status=0
	wait "${running[$1]}" 2>/dev/null || status=$?
	clear_line
	if [ "$status" != 0 ]; then
		stop_steps
		explain "$1"
	fi
	unset "running[$1]"
	if kept "$1"; then
		note "$(step_field "$1" 5): done in $(clock "$(cat "$cache/times/$1")")$(outcome "$1")"
	else
		# What the compilers warn of; Debian ships nothing that BTF could be made from.
		grep -v '^Skipping BTF generation' "$(log "$1")" >&2 || true
	fi
}

stop_steps() {
	local name pid
	for name in "${!running[@]}"; do
		pid=${running[$name]}
		kill -KILL -- "-$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
		! kept "$name" || discard "$cache/tmp/$name" "$cache/tmp/$name".*
	done
	running=()
	clear_line
}

# outcome NAME: which version was taken
outcome() {
	case $1 in
	linux-*) printf ', %s' "$(cat "$(path "$1")/version")" ;;
	esac
}

clear_line() {
	[ ! -t 2 ] || printf '\r\033[K' >&2
}

# estimate NAME: what it took the last time
estimate() {
	cat "$cache/times/$1" 2>/dev/null || step_field "$1" 3
}

# show: on a terminal one line that changes, else a line at first and every minute
show() {
	local name began now line='' elapsed text
	printf -v now '%(%s)T' -1
	for name in "${!running[@]}"; do
		began=$(cat "$(log "$name").began" 2>/dev/null) || continue
		[ -n "$began" ] || continue
		elapsed=$((now - began))
		text="$(step_field "$name" 5) $(clock "$elapsed") of about $(clock "$(estimate "$name")")"
		if [ -t 2 ]; then
			line+="${line:+ · }$text"
		elif ((elapsed / 60 >= ${announced[$name]:-0})) && { kept "$name" || ((elapsed >= 20)); }; then
			announced[$name]=$((elapsed / 60 + 1))
			note "$text"
		fi
	done
	if [ -n "$line" ]; then
		printf '\r\033[K%.*s' "$(($(tput cols 2>/dev/null || echo 80) - 1))" "$line" >&2
	fi
}

# enough_space NAME...
enough_space() {
	local name need=0 free
	for name in "$@"; do
		! kept "$name" || need=$((need + $(step_field "$name" 2)))
	done
	free=$(df --output=avail -BM "$cache" | tr -dc 0-9)
	((free > need)) || die "$cache has $free MiB free and $need MiB are needed: make room, or set XENOXIDE_CACHE to a folder on a larger disk"
}

# explain NAME: why a step failed, in one line
explain() {
	local log label own
	log=$(log "$1")
	label=$(step_field "$1" 5)
	own=$(sed -n 's/^xenoxide: //p' "$log" | tail -n 1)
	[ -z "$own" ] || die "$own"
	if grep -Eqi 'no space left on device|enough free space' "$log"; then
		die "$label: the disk is full: make room in $cache and $clone, or set XENOXIDE_CACHE to a folder on a larger disk (log: $log)"
	elif grep -Eqi 'temporary failure resolving|could not (resolve|connect)|unable to connect|network is unreachable|connection (timed out|refused)|spurious network error|failed to download from' "$log"; then
		die "$label: no network, or the other side does not answer: try again when it does (another Debian mirror: DEBIAN_MIRROR=address; log: $log)"
	elif grep -Eqi 'unable to locate package|has no installation candidate|404 +not found|does not have a release file' "$log"; then
		die "$label: a package has gone from the mirror, or it does not carry Debian 13 with backports: try again later, or give another one with DEBIAN_MIRROR=address (log: $log)"
	fi
	kept "$1" || cat "$log" >&2
	die "$label: failed; what happened is in $log"
}
