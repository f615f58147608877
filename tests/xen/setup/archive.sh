# SPDX-License-Identifier: GPL-2.0
# Debian's kernel packages from trixie-backports: the newest release of a series that is whole.
# shellcheck shell=bash

# Kept until `make update`, however backports moves.
key_linux() {
	hash "$setup/archive.sh" "$setup/inside/unpack.sh"
}

key_linux-7.2() {
	key_linux
}

key_linux-7.3() {
	key_linux
}

make_linux-7.2() {
	make_linux 7.2 "$1" base binary modules image
}

# No signed image of 7.3 has to exist: it is only built for.
make_linux-7.3() {
	make_linux 7.3 "$1"
}

# make_linux SERIES TARGET PART...: fetches while the build root is being made, unpacks in it
make_linux() {
	local series=$1 target=$2 release version
	shift 2
	mkdir -p "$target/debs"
	(
		private_apt "$target/apt"
		choose "$series" "$@" >"$target/chosen"
		read -r release version <"$target/chosen"
		printf '%s\n' "$release" >"$target/release"
		printf '%s\n' "$version" >"$target/version"
		cd "$target/debs" || exit
		packages "$series" "$release" "$@" | sed "s/\$/=$version/" | xargs apt-get download
	)
	rm -rf "$target/apt" "$target/chosen"
	await root
	enter "$target" "/linux/$series" -- sh /xenoxide/tests/xen/setup/inside/unpack.sh "/linux/$series"
}

# private_apt FOLDER: from here on apt has its state in FOLDER and knows only Debian 13
private_apt() {
	mkdir -p "$1"/{etc/apt.conf.d,etc/sources.list.d,etc/preferences.d,state/lists/partial,cache/archives/partial}
	: >"$1/status"
	apt_options >"$1/apt.conf"
	apt_sources >"$1/etc/sources.list"
	cat >>"$1/apt.conf" <<-END
		Dir::Etc "$1/etc";
		Dir::State "$1/state";
		Dir::State::status "$1/status";
		Dir::Cache "$1/cache";
		APT::Architecture "amd64";
	END
	export APT_CONFIG=$1/apt.conf
	apt-get -o APT::Update::Error-Mode=any update
}

# packages SERIES RELEASE PART...
packages() {
	local series=$1 release=$2
	shift 2
	printf '%s\n' "linux-source-$series" "linux-headers-$release"
	[ $# = 0 ] || printf "linux-%s-$release\n" "$@"
}

# versions PACKAGE: newest first
versions() {
	apt-cache show "$1" 2>/dev/null | sed -n 's/^Version: //p' | sort -rV
}

# choose SERIES PART...: prints "release version" of the newest of which source, headers and all
# parts are there in one version
choose() {
	local series=$1 release version package
	shift
	for release in $(apt-cache pkgnames "linux-headers-$series." |
		sed -nE 's/^linux-headers-([0-9.]+\+deb13-amd64)$/\1/p' | sort -rV); do
		for version in $(versions "linux-headers-$release"); do
			for package in $(packages "$series" "$release" "$@"); do
				versions "$package" | grep -xF "$version" >/dev/null || continue 2
			done
			printf '%s %s\n' "$release" "$version"
			return
		done
	done
	die "trixie-backports on this mirror has no Linux $series whose image, headers and source are of one version: try again later, or give another mirror with DEBIAN_MIRROR=address"
}
