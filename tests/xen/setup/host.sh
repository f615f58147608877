# SPDX-License-Identifier: GPL-2.0
# What the machine itself has to have.
# shellcheck shell=bash disable=SC2016

# host_packages: installs what is missing, where that needs nobody's password
host_packages() {
	local missing=() as=()
	[ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] || die "this needs Debian 12 or 13 on amd64"
	command -v mmdebstrap >/dev/null || missing+=(mmdebstrap)
	command -v mount >/dev/null || missing+=(mount)
	dpkg --compare-versions "$(dpkg-query -Wf '${Version}' debian-archive-keyring 2>/dev/null)" ge 2023.3+deb12u2 ||
		missing+=(debian-archive-keyring)
	[ "$(id -u)" = 0 ] || command -v newuidmap >/dev/null || missing+=(uidmap)
	if ((${#missing[@]})); then
		if [ "$(id -u)" != 0 ]; then
			sudo -n true 2>/dev/null || die "first install what is missing, as root: apt-get install ${missing[*]}"
			as=(sudo -n)
		fi
		note "installing ${missing[*]}"
		{
			"${as[@]}" apt-get update &&
				"${as[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
		} >"$cache/logs/host.log" 2>&1 </dev/null || die "cannot install ${missing[*]}: is the network there? (log: $cache/logs/host.log)"
	fi
	namespaces_work
}

namespaces_work() {
	local user
	user=$(id -un)
	! contain true 2>"$cache/logs/namespaces.log" || return 0
	[ "$(id -u)" = 0 ] || grep -q "^$user:" /etc/subuid ||
		die "$user has no subordinate ids; give it some, as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $user"
	die "no namespaces can be made here, perhaps in a container without the right to (log: $cache/logs/namespaces.log)"
}
