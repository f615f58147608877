# SPDX-License-Identifier: GPL-2.0
# What this machine's apt knows: its mirror, its proxies, how strict it is with old indexes.
# shellcheck shell=bash disable=SC2016

# mirror: the address that apt uses for Debian itself. Before the first `apt-get update` apt does
# not know whose a mirror is: then the name of the release has to do.
mirror() {
	if [ -n "${DEBIAN_MIRROR:-}" ]; then
		printf '%s\n' "${DEBIAN_MIRROR%/}"
		return
	fi
	local uri
	uri=$(apt-get indextargets --format '$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)' 'Created-By: Packages' |
		awk -F'|' '$4 == "main" && $3 ~ /^(bookworm|trixie|forky|sid|oldstable|stable|testing|unstable)$/ {
			print ($1 == "Debian" ? 0 : 1) "\t" $2
		}' | sort -s -n -k1,1 | cut -f2 | grep -Ev '^(cdrom|file|copy):' | head -n 1) || true
	case $uri in
	mirror+file:*) uri=$(grep -Eo '^https?://[^[:space:]]+' "${uri#mirror+file:}" | head -n 1) || true ;;
	esac
	[ -n "$uri" ] || die "apt on this machine knows no Debian mirror: give one with DEBIAN_MIRROR=address"
	printf '%s\n' "${uri%/}"
}

# apt_options: the lines of apt's configuration that say how to reach a mirror
apt_options() {
	apt-config dump | grep -E '^Acquire::(https?|ftp|socks|tor|Retries|ForceIPv[46]|Check-Valid-Until|Check-Date|Max-ValidTime|AllowWeakRepositories|AllowInsecureRepositories|Proxy-Auto-Detect)(::| )' |
		grep -v '"";$' || true
	printf '%s;\n' 'Acquire::Languages "none"' 'APT::Install-Recommends "false"' 'APT::Sandbox::User "root"'
}

# apt_sources [RELEASE]: Debian 13 or another release, with backports, as lines of a sources.list
apt_sources() {
	local release=${1:-trixie} mirror key='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]'
	mirror=$(mirror)
	printf "deb $key %s %s main\n" "$mirror" "$release" "$mirror" "$release-backports"
}

# bootstrap LIST TARGET OPTION...: a Debian 13 tree with the packages of a list
bootstrap() {
	bootstrap_release trixie "$@"
}

# bootstrap_release RELEASE LIST TARGET OPTION...
bootstrap_release() {
	local release=$1 packages=$2 target=$3 sources
	shift 3
	mkdir "$target.work"
	apt_options >"$target.work/apt.conf"
	sources=$(apt_sources "$release")
	TMPDIR=$target.work contain mmdebstrap --mode=root --aptopt="$target.work/apt.conf" \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
		--include="$(list "$packages" | paste -sd,)" "$@" "$release" "$target" - <<<"$sources"
	discard "$target.work"
}
