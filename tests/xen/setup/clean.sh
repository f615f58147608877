# SPDX-License-Identifier: GPL-2.0
# Taking things away again.
# shellcheck shell=bash

# update: the next run takes the newest kernel packages that are there
update() {
	lock "$cache/lock" --exclusive "uses the cache"
	discard "$cache"/linux-*
}

distclean() {
	lock "$cache/lock" --exclusive "uses the cache"
	discard "$cache"
	rm -rf "$clone/build" "$clone/rust-project.json"
}
