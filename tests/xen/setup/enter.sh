# SPDX-License-Identifier: GPL-2.0
# Namespaces, and the way into the build root.
# shellcheck shell=bash

# For all but root a user namespace gives the rights; the ids come from /etc/subuid.
namespaces=(--mount --pid --fork --kill-child)
[ "$(id -u)" = 0 ] || namespaces+=(--user --map-root-user --map-auto)

# contain COMMAND...: in namespaces of its own, so that its mounts and processes end with it,
# and it with this shell, whatever ends that.
contain() {
	setpriv --pdeathsig KILL unshare "${namespaces[@]}" -- "$@"
}

# discard PATH...: also what belongs to the ids of a user namespace
discard() {
	contain rm -rf --one-file-system -- "$@"
}

# enter [FROM TO]... -- COMMAND...: in the build root, with the clone at /xenoxide, the cache at
# /cache, and each FROM of the machine at TO. TERM and what says how to reach the network go along.
enter() {
	local binds=() variables=() name
	while [ "$1" != -- ]; do
		binds+=("$1" "$2")
		shift 2
	done
	shift
	while read -r name; do
		variables+=("$name=${!name}")
	done < <(compgen -e | grep -Ei '^((https?|ftp|all|no)_proxy|CARGO_(HTTP|NET)_.*|CI|COLUMNS|LINES|NO_COLOR|TERM|XENOXIDE_.*)$')
	contain sh "$setup/inside/mount.sh" "$(path root)" "$clone" /xenoxide "$cache" /cache "${binds[@]}" -- \
		env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LANG=C.UTF-8 \
		KBUILD_BUILD_USER=xenoxide KBUILD_BUILD_HOST=xenoxide "${variables[@]}" \
		CARGO_HOME=/cache/cargo CARGO_TARGET_DIR=/xenoxide/build/cargo \
		XENOXIDE_CACHE=/cache XENOXIDE_DOM0=/images/dom0.ext4 XENOXIDE_XEN=/boot/xen \
		XENOXIDE_KERNEL_STOCK=/kernel/stock XENOXIDE_KERNEL_KUNIT=/kernel/kunit "$@"
}

# enter_ready COMMAND...: in the build root with all that has been made for it in place
enter_ready() {
	local binds=() name
	for name in stock kunit next; do
		! made "$name" || binds+=("$(path "$name")" "/kernel/$name")
	done
	for name in 7.2 7.3; do
		! made "linux-$name" || binds+=("$(path "linux-$name")" "/linux/$name")
	done
	! made dom0 || binds+=("$(path dom0)" /images/dom0.ext4)
	if made kasan; then
		XENOXIDE_KERNEL_KASAN=/cache/kasan-$(key_kasan)
		export XENOXIDE_KERNEL_KASAN
	fi
	if made tools; then
		XENOXIDE_TOOLS=/cache/tools-$(key_tools)
		export XENOXIDE_TOOLS
	fi
	if made trees; then
		XENOXIDE_TREES=/cache/trees-$(key_trees)
		export XENOXIDE_TREES
	fi
	enter "${binds[@]}" -- "$@"
}
