# SPDX-License-Identifier: GPL-2.0
#
# The whole project by name. scripts/env prepares what a target needs, once,
# in a cache outside the checkout; that takes root, network and 8 GB.
#
# KERNEL=7.2   build and test for another stock kernel than the newest
# V=1          show everything
# KIND=ovnet   the kinds of networks that `make bench` measures, all if absent
# RUN=FILE     what `make vm` runs in the guest; make itself can only say that
#              it failed, `target/release/ovnet-vm exec FILE` has its status

ENV := scripts/env
VM := $(ENV) run target/release/ovnet-vm
export KERNEL V

.DEFAULT_GOAL := all
.PHONY: all env module user check check-user check-kernel check-debug check-debug-quick \
	check-planted check-moves fuzz simulate demo bench bench-scale bench-mappings bench-control vm generate man completions install clean distclean-cache help

all: env module user ## the module and the userspace programs (the default)

env: ## prepare the build and test environment
	@$(ENV) prepare

# What builds say goes to standard error: standard output belongs to RUN=.
module: ## ovnet.ko, in out/module-VERSION/
	@$(ENV) kernel-make W=e modules >&2

user: ## the userspace programs, in target/release/
	@$(ENV) cargo build --release --workspace

check: env ## every check and test, with a summary
	@scripts/check user module kernel

check-user: ## the checks and tests of the userspace crates
	@scripts/check user

check-kernel: ## the checks of the module and its tests in guests; FILTER=X picks cases
	@scripts/check module kernel

check-debug: ## the same on a kernel that checks itself, built once (half an hour)
	@scripts/check debug

check-debug-quick: ## those of its cases that show the most in a few minutes
	@QUICK=1 scripts/check debug

check-moves: module user ## MOVES (100) moves between kernels in a row, and how long they hold up traffic
	@MOVES=$(or $(MOVES),100) V=1 $(VM) run --filter managed-move-kernels

check-planted: ## bugs put in on purpose, each of which that kernel must report
	@scripts/check planted

# RUNS alone means that many inputs, however long they take.
fuzz: ## fuzz the engine for SECONDS (60), or RUNS inputs, per entry point; finds are saved to its corpus
	@$(ENV) cargo run --release -p ovnet-engine-fuzz -- --save \
		$(if $(RUNS),--runs $(RUNS)) $(if $(SECONDS)$(if $(RUNS),,60),--seconds $(or $(SECONDS),60))

simulate: ## a data centre in one thread; SEED=N, COUNT=N seeds from there on, SIZE=small
	@$(ENV) cargo run --release -p mgr --example simulate -- $(or $(SEED),1) $(or $(COUNT),1) $(SIZE)

demo: module user ## the demonstration, in a guest; STORE=etcd has its manager use one
	@$(VM) demo $(if $(STORE),--store $(STORE))

bench: module user ## instructions per packet, beside other networks; KIND=X picks one, PROFILE=udp64 says where
	@$(VM) bench $(if $(PROFILE),--profile $(PROFILE)) $(KIND)

bench-scale: module user ## what must not grow with networks, ports, hosts, rules and mappings, and what mappings cost; MAPPINGS=N (1000000)
	@$(VM) scale --mappings $(or $(MAPPINGS),1000000)

bench-mappings: module user ## instructions per mapping that is set, told or dumped; MAPPINGS=N (100000), PROFILE=1 says where
	@$(VM) mappings --count $(or $(MAPPINGS),100000) $(if $(PROFILE),--profile)

# A benchmark is run in the directory of its crate.
bench-control: ## what a manager does in a second, and how soon, with AGENTS (1000) on real sockets; STORE=etcd
	@$(ENV) cargo bench -q -p mgr --bench control -- --out $(CURDIR)/out/bench-control.json \
		$(if $(AGENTS),--agents $(AGENTS)) $(if $(STORE),--store $(STORE))

vm: module user ## a shell in a guest; RUN=FILE runs a file there instead
	@$(VM) $(if $(RUN),exec $(RUN),shell)

generate: ## write the sources that derive from the netlink spec and the protocols
	@$(ENV) generate
	@OVNET_GENERATE=1 $(ENV) cargo test -q -p mgr --test generated

man: user ## the man pages of ovctl, in out/man/
	@mkdir -p out/man
	@$(ENV) run target/release/ovctl manual out/man

completions: user ## what shells need to complete ovctl's words, in out/completions/
	@mkdir -p out/completions
	@for shell in bash zsh fish; do \
		$(ENV) run target/release/ovctl completion $$shell >out/completions/$$shell || exit 1; \
	done

PREFIX ?= /usr/local
SHARE = $(DESTDIR)$(PREFIX)/share
install: user man completions ## the programs, the executor for containers, the unit, man pages and completions, under PREFIX (/usr/local)
	install -D -m 0755 target/release/ovctl $(DESTDIR)$(PREFIX)/bin/ovctl
	install -D -m 0755 target/release/ovmgrd $(DESTDIR)$(PREFIX)/bin/ovmgrd
	install -D -m 0755 mgr/executor-criu $(DESTDIR)$(PREFIX)/lib/ovnet/executor-criu
	install -D -m 0644 -t $(SHARE)/man/man1 out/man/*.1
	install -D -m 0644 out/completions/bash $(SHARE)/bash-completion/completions/ovctl
	install -D -m 0644 out/completions/zsh $(SHARE)/zsh/site-functions/_ovctl
	install -D -m 0644 out/completions/fish $(SHARE)/fish/vendor_completions.d/ovctl.fish
	install -D -m 0644 -t $(SHARE)/doc/ovnet Documentation/*.md mgr/ovmgrd.toml
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|/usr/local/bin|$(PREFIX)/bin|; s|/usr/share|$(PREFIX)/share|' mgr/ovmgrd.service \
		>$(DESTDIR)$(PREFIX)/lib/systemd/system/ovmgrd.service
	chmod 0644 $(DESTDIR)$(PREFIX)/lib/systemd/system/ovmgrd.service

clean: ## remove what was built in the checkout
	rm -rf out target

distclean-cache: ## remove the cache that scripts/env keeps
	@$(ENV) purge

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' $(firstword $(MAKEFILE_LIST)) | \
		while IFS='|' read -r name text; do printf '  %-18s %s\n' "$$name" "$$text"; done
	@echo "variables: KERNEL=VERSION or a prefix, V=1, RUN=FILE, FILTER=X, SECONDS=N, RUNS=N, SEED=N, COUNT=N, SIZE=small, MAPPINGS=N, MOVES=N, KIND=X, PROFILE=udp64|rr|bulk-whole, AGENTS=N, STORE=embedded|etcd"
