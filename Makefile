# SPDX-License-Identifier: GPL-2.0
# `make help` lists the targets. The modules themselves are described in Kbuild.

setup := bash tests/xen/setup/main.sh
kdir := $(or $(KDIR),/lib/modules/$(shell uname -r)/build)
kbuild = $(MAKE) -C $(kdir) M=$(CURDIR) MO=$(CURDIR)/build/kdir

.PHONY: modules kdir pageshare run test bench shell lint install rust-analyzer update clean distclean help

modules: $(if $(KDIR),kdir)
	$(if $(KDIR),,@$(setup) modules)

kdir:
	@test -e $(kdir)/rust/libkernel.rmeta || { echo "$(kdir) is no built kernel with CONFIG_RUST (for Debian's own: make, without KDIR)" >&2; exit 1; }
	$(kbuild) modules

pageshare:
	@$(setup) pageshare

run:
	@$(setup) run

test:
	@$(setup) test $(T)

bench:
	@test -n "$(B)" || { echo "which bench? make bench B=name (balloon, xensock, pageshare)" >&2; exit 1; }
	@$(setup) bench $(B)

shell:
	@$(setup) shell

lint:
	@$(setup) lint

install:
	@DESTDIR=$(DESTDIR) tests/xen/setup/install.sh $(kdir) $(kbuild)

rust-analyzer:
	@$(setup) rust-analyzer

update:
	@$(setup) update

clean:
	rm -rf build rust-project.json

distclean:
	@$(setup) distclean

help:
	@echo 'make run              Xen with a PV and a PVH guest on Debian'"'"'s kernel; sets memory targets'
	@echo 'make test [T=name]    host tests, KUnit in guests, scenarios; or the one of that name'
	@echo 'make bench B=name     ours (balloon, xensock, pageshare) beside what there is; writes build/bench/name.json'
	@echo 'make shell            a prompt in dom0, with xl and the modules at hand'
	@echo 'make                  the modules for Debian'"'"'s kernel, into build/stock/'
	@echo 'make KDIR=folder      the modules for another kernel with CONFIG_RUST, into build/kdir/'
	@echo 'make pageshare        the command pageshare, into build/'
	@echo 'make install [KDIR=]  installs them for that kernel, or for the running one; DESTDIR is honoured'
	@echo 'make lint             form, clippy, warnings as errors, shellcheck'
	@echo 'make rust-analyzer    rust-project.json, for editors'
	@echo 'make update           the next run takes the newest kernel packages from Debian'
	@echo 'make clean            removes build/'
	@echo 'make distclean        removes build/ and the cache (XENOXIDE_CACHE, by default ~/.cache/xenoxide)'
