#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# main.sh COMMAND [ARGUMENT]...: what `make` calls for everything that needs the build root
set -euo pipefail
umask 022

setup=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
clone=$(cd "$setup/../../.." && pwd)
cache=${XENOXIDE_CACHE:-${XDG_CACHE_HOME:-~/.cache}/xenoxide}
if ! mkdir -p "$cache"/{tmp,logs,times} 2>/dev/null || [ ! -w "$cache" ]; then
	echo "xenoxide: cannot write to $cache: set XENOXIDE_CACHE to a folder of yours" >&2
	exit 1
fi
cache=$(cd "$cache" && pwd)

# shellcheck source=tests/xen/setup/lib.sh
. "$setup/lib.sh"
# shellcheck source=tests/xen/setup/cache.sh
. "$setup/cache.sh"
# shellcheck source=tests/xen/setup/progress.sh
. "$setup/progress.sh"
# shellcheck source=tests/xen/setup/mirror.sh
. "$setup/mirror.sh"
# shellcheck source=tests/xen/setup/host.sh
. "$setup/host.sh"
# shellcheck source=tests/xen/setup/enter.sh
. "$setup/enter.sh"
# shellcheck source=tests/xen/setup/root.sh
. "$setup/root.sh"
# shellcheck source=tests/xen/setup/dom0.sh
. "$setup/dom0.sh"
# shellcheck source=tests/xen/setup/archive.sh
. "$setup/archive.sh"
# shellcheck source=tests/xen/setup/kernels.sh
. "$setup/kernels.sh"
# shellcheck source=tests/xen/setup/llvm.sh
. "$setup/llvm.sh"
# shellcheck source=tests/xen/setup/kasan.sh
. "$setup/kasan.sh"
# shellcheck source=tests/xen/setup/tools.sh
. "$setup/tools.sh"
# shellcheck source=tests/xen/setup/trees.sh
. "$setup/trees.sh"
# shellcheck source=tests/xen/setup/modules.sh
. "$setup/modules.sh"
# shellcheck source=tests/xen/setup/lint.sh
. "$setup/lint.sh"
# shellcheck source=tests/xen/setup/clean.sh
. "$setup/clean.sh"

stock=(root linux-7.2 stock modules-stock)
booted=("${stock[@]}" dom0 bed)
equipped=("${booted[@]}" tools)
all=("${booted[@]}" linux-7.3 kunit next modules-kunit modules-next)
kasan=("${booted[@]}" llvm kasan modules-kasan)

command=${1:?}
shift
case $command in
step) run_step "$1" ;;
modules)
	prepare "${stock[@]}"
	note "the modules for $(cat "$(path stock)/release") are in build/stock/"
	;;
pageshare)
	prepare root pageshare
	note "the command is build/pageshare"
	;;
run | shell)
	prepare "${booted[@]}"
	cargo_run bed "$command"
	;;
test)
	case ${1:-} in
	kasan | *-kasan) prepare "${kasan[@]}" ;;
	host | next | kunit | endurance) prepare "${all[@]}" ;;
	*pageshare*) prepare "${all[@]}" trees ;;
	*) prepare "${all[@]}" tools ;;
	esac
	cargo_run bed test "$@"
	;;
bench)
	case ${1:-} in
	pageshare) prepare "${booted[@]}" trees ;;
	*) prepare "${equipped[@]}" ;;
	esac
	cargo_run bench "$@"
	;;
enter)
	prepare root
	enter_ready "$@"
	;;
lint)
	prepare root linux-7.2 stock
	lint
	;;
rust-analyzer)
	prepare "${stock[@]}"
	rust_analyzer
	;;
update) update ;;
distclean) distclean ;;
*) die "no command $command" ;;
esac
