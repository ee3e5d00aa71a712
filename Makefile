# influxfs: backup of a live InfluxDB 1.x store by copying a file. See README.md.
#
#   make                    build/influxfs, build/influxsnap, build/mount.influxfs, and the nightly
#                           jobs build/influxfs-archive, build/influxfs-fetch, build/influxfs-dump
#   make demo | test        each does all of its own set-up (as root on Debian 12)
#   make install PREFIX=/usr/local DESTDIR=     uninstall takes away what install has put there
#   make deb                Debian packages: build/influxfs_*.deb, build/influxfs-dbgsym_*.deb
#   make bench | lint | format | clean
#   make coverage TESTS=…   lines and branches that the tests (all, or those named) reach, by room
#   make fuzz FUZZ_SECONDS=30   each fuzz target that long; what it finds is in build-fuzz/found
#   make soak SOAK_SEEDS=50     that many random stores dumped, from seed SOAK_FIRST=1 on, for
#                               each kind of index; as many mutated ones backed up; and the fuzz
#                               targets, FUZZ_SECONDS=300 each
#
# Switches: DEBUG=1, SANITIZE=address,undefined (or thread), COVERAGE=1, CC=clang, FUZZ=1 (what
# fuzz targets link; takes clang). Each set of switches builds in a folder of its own, so none
# disturbs another. WERROR=1 makes warnings errors, as DEBUG=1, tests and lint do; a package is
# built without it, so that the next compiler's new warnings do not break it.

PREFIX ?= /usr/local
DESTDIR ?=
VERSION := 0.6

comma := ,
ifdef FUZZ
override CC := clang
endif
suffix := $(if $(FUZZ),-fuzz,$(if $(filter clang%,$(CC)),-clang))$(if $(DEBUG),-debug)$(if $(SANITIZE),-$(firstword $(subst $(comma), ,$(SANITIZE))))$(if $(COVERAGE),-coverage)
BUILD ?= build$(suffix)

LIBS := libarchive lmdb json-c libprotobuf-c libcrypto zlib
PKG_CONFIG ?= pkg-config
store_flags := $(shell $(PKG_CONFIG) --cflags $(LIBS) 2>/dev/null)
store_libs := $(shell $(PKG_CONFIG) --libs $(LIBS) 2>/dev/null) -lsnappy
fuse_flags := -DFUSE_USE_VERSION=314 $(shell $(PKG_CONFIG) --cflags fuse3 2>/dev/null)
curl_flags := $(shell $(PKG_CONFIG) --cflags libcurl 2>/dev/null)
curl_libs := $(shell $(PKG_CONFIG) --libs libcurl 2>/dev/null)
fuse_libs := $(shell $(PKG_CONFIG) --libs fuse3 2>/dev/null)

# Ahead of CPPFLAGS and CFLAGS of the environment, which may say more or otherwise.
hardening := $(if $(DEBUG)$(SANITIZE)$(COVERAGE)$(FUZZ),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 \
	-fstack-protector-strong -fstack-clash-protection -fPIE)
hardened_link := $(if $(hardening),-pie -Wl$(comma)-z$(comma)relro$(comma)-z$(comma)now)

CFLAGS ?= -O2 -g
ifdef DEBUG
CFLAGS := -O0 -g3
WERROR := 1
endif
ifdef SANITIZE
CFLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=$(SANITIZE)
LDFLAGS += -fsanitize=$(SANITIZE)
endif
ifdef COVERAGE
CFLAGS := -O0 -g --coverage
LDFLAGS += --coverage
endif
ifdef FUZZ
fuzz_flags := -fno-sanitize-recover=all -fsanitize=address,undefined
CFLAGS := -O1 -g -fno-omit-frame-pointer $(fuzz_flags) -fsanitize=fuzzer-no-link
LDFLAGS += $(fuzz_flags)
endif
base_flags := -std=c17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DINFLUXFS_VERSION='"$(VERSION)"' \
	-Wall -Wextra $(if $(WERROR),-Werror) -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wwrite-strings -Wvla $(hardening) -I. -I$(BUILD) -pthread -MMD -MP

# influxsnap is a program beside the others: it links the store as they do.
store_src := $(sort $(filter-out store/influxsnap/%,$(wildcard store/*/*.c)))
snap_src := $(sort $(wildcard store/influxsnap/*.c))
fs_src := $(sort $(wildcard fs/*.c))
helper_src := $(sort $(wildcard mount-helper/*.c))
nightly_src := $(sort $(wildcard mount-helper/nightly/*.c))
unit_src := $(sort $(wildcard tests/unit/test_*.c))
fuzz_src := $(sort $(wildcard tests/fuzz/fuzz_*.c))
says_version := $(shell grep -l INFLUXFS_VERSION $(store_src) $(snap_src) $(fs_src) $(helper_src) \
	$(nightly_src))
proto := store/influx/meta.proto
proto_obj := $(BUILD)/store/influx/meta.pb-c.o

store_obj := $(store_src:%.c=$(BUILD)/%.o) $(proto_obj)
snap_obj := $(snap_src:%.c=$(BUILD)/%.o)
fs_obj := $(fs_src:%.c=$(BUILD)/%.o)
helper_obj := $(helper_src:%.c=$(BUILD)/%.o)
nightly_obj := $(nightly_src:%.c=$(BUILD)/%.o)
# A program's main file, by the program: all else of that room is shared.
nightly_mains := archive fetch dumpdays
nightly := $(BUILD)/influxfs-archive $(BUILD)/influxfs-fetch $(BUILD)/influxfs-dump
units := $(unit_src:tests/unit/%.c=$(BUILD)/tests/%)
fuzzers := $(fuzz_src:tests/fuzz/%.c=$(BUILD)/tests/%)
preloads := $(patsubst tests/unit/%.c,$(BUILD)/tests/%.so,$(wildcard tests/unit/preload_*.c))

# One short line a command; V=1 shows them whole.
ifndef V
say = @echo "  $(1) $@";
endif

all: $(BUILD)/influxfs $(BUILD)/influxsnap $(BUILD)/mount.influxfs $(nightly)

$(BUILD)/influxfs: $(BUILD)/fs/main.o $(BUILD)/libfs.a $(BUILD)/libstore.a
	$(call say,LD)$(CC) $(hardened_link) $(LDFLAGS) -pthread -o $@ $^ $(fuse_libs) $(store_libs)

$(BUILD)/influxsnap: $(snap_obj) $(BUILD)/libstore.a
	$(call say,LD)$(CC) $(hardened_link) $(LDFLAGS) -pthread -o $@ $^ $(curl_libs) $(store_libs)

$(snap_obj): store_flags += $(curl_flags)

$(BUILD)/mount.influxfs: $(helper_obj) $(BUILD)/libstore.a
	$(call say,LD)$(CC) $(hardened_link) $(LDFLAGS) -pthread -o $@ $^ $(store_libs)

$(BUILD)/influxfs-archive: $(BUILD)/mount-helper/nightly/archive.o
$(BUILD)/influxfs-fetch: $(BUILD)/mount-helper/nightly/fetch.o
$(BUILD)/influxfs-dump: $(BUILD)/mount-helper/nightly/dumpdays.o
nightly_libs := $(BUILD)/libnightly.a $(BUILD)/libsnap.a $(BUILD)/libstore.a
$(nightly): $(nightly_libs)
	$(call say,LD)$(CC) $(hardened_link) $(LDFLAGS) -pthread -o $@ $(filter %.o,$^) $(nightly_libs) $(store_libs)

$(BUILD)/libstore.a: $(store_obj)
	@rm -f $@
	$(call say,AR)ar rcs $@ $^

$(BUILD)/libfs.a: $(filter-out %/main.o,$(fs_obj))
	@rm -f $@
	$(call say,AR)ar rcs $@ $^

$(BUILD)/libsnap.a: $(filter-out %/main.o,$(snap_obj))
	@rm -f $@
	$(call say,AR)ar rcs $@ $^

$(BUILD)/libnightly.a: $(filter-out $(nightly_mains:%=$(BUILD)/mount-helper/nightly/%.o),$(nightly_obj))
	@rm -f $@
	$(call say,AR)ar rcs $@ $^

$(BUILD)/store/%.o: store/%.c | $(proto_obj)
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(base_flags) $(store_flags) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/mount-helper/%.o: mount-helper/%.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(base_flags) $(store_flags) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# The page's style as strings of C.
$(BUILD)/store/program/report_html.inc: store/program/report_html.css
	@mkdir -p $(@D)
	$(call say,GEN)sed 's/[\\"]/\\&/g; s/^ *//; s/.*/"&\\n"/' $< >$@

$(BUILD)/store/program/report_html.o: $(BUILD)/store/program/report_html.inc

# Generated code is built without the warnings that it does not mean to meet.
$(BUILD)/store/influx/meta.pb-c.c: $(proto)
	@mkdir -p $(@D)
	$(call say,GEN)protoc-c --c_out=$(BUILD) $<

$(proto_obj): $(BUILD)/store/influx/meta.pb-c.c
	$(call say,CC)$(CC) -std=c17 $(hardening) $(store_flags) $(CPPFLAGS) $(CFLAGS) -I$(BUILD) -c -o $@ $<

$(BUILD)/fs/%.o: fs/%.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(base_flags) $(fuse_flags) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(says_version:%.c=$(BUILD)/%.o): Makefile

# Unit tests of fs/ call its parts without a mount. What such a test defines itself stands in for
# the file of libfs.a that has it.
$(BUILD)/tests/test_fs_%: tests/unit/test_fs_%.c $(BUILD)/libfs.a $(BUILD)/libstore.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(base_flags) $(fuse_flags) $(CFLAGS) $(LDFLAGS) -o $@ $< $(BUILD)/libfs.a \
		$(BUILD)/libstore.a -lcmocka $(fuse_libs) $(store_libs)

# Those of the nightly jobs call their parts, without the programs' main files.
$(BUILD)/tests/test_nightly_%: tests/unit/test_nightly_%.c $(nightly_libs)
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(base_flags) $(store_flags) $(CFLAGS) $(LDFLAGS) -o $@ $< $(nightly_libs) \
		-lcmocka $(store_libs)

# All others link the store alone: proof that it stands without FUSE; and one file of influxsnap.
$(BUILD)/tests/test_http $(BUILD)/tests/fuzz_http: $(BUILD)/store/influxsnap/http_request.o
$(BUILD)/tests/test_%: tests/unit/test_%.c $(BUILD)/libstore.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(base_flags) $(store_flags) $(CFLAGS) $(LDFLAGS) -o $@ $< \
		$(filter %.o,$^) $(BUILD)/libstore.a -lcmocka $(store_libs)

$(BUILD)/tests/test_mount_helper: $(filter-out %/mount.influxfs.o,$(helper_obj))

$(BUILD)/tests/preload_%.so: tests/unit/preload_%.c
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(base_flags) $(CFLAGS) -shared -fPIC -o $@ $< -ldl

units: $(units) preloads
preloads: $(preloads)

$(BUILD)/tests/fuzz_receipt $(BUILD)/tests/fuzz_mark: $(BUILD)/libnightly.a $(BUILD)/libsnap.a
$(BUILD)/tests/fuzz_%: tests/fuzz/fuzz_%.c $(BUILD)/libstore.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(base_flags) $(store_flags) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $< \
		$(filter %.o %/libnightly.a %/libsnap.a,$^) $(BUILD)/libstore.a $(store_libs)

fuzzers: $(fuzzers)

jobs = $(shell nproc)
# make demo and make test may be started side by side: one of them builds at a time.
alone = @mkdir -p $(BUILD); flock $(BUILD)/.lock

# Installing packages and building are two steps, so that pkg-config is asked after the first.
demo:
	tests/setup build && tests/setup demo
	$(alone) $(MAKE) -j$(jobs) all
	python3 tests/demo.py

test:
	tests/setup build && tests/setup test
	$(alone) $(MAKE) WERROR=1 -j$(jobs) all units
	$(alone) $(MAKE) WERROR=1 $(fuzz_switches) -j$(jobs) fuzzers
	python3 tests/run

# The unit tests once more, with their memory watched, in the build that lint and fuzz targets take; and, of those that
# can start a thread, their threads. Without WERROR: what gcc's sanitizer puts into the code brings it to warn of what
# cannot be. ThreadSanitizer does not start where addresses are spread too widely, so they are not spread where that
# can be had.
fixed_addresses := setarch $(shell uname -m) -R
sanitize:
	tests/setup build && tests/setup test
	$(alone) $(MAKE) WERROR=1 $(fuzz_switches) -j$(jobs) units
	INFLUXFS=$(CURDIR)/build-fuzz/influxfs python3 tests/run unit.
	$(alone) $(MAKE) WERROR=1 -j$(jobs) units
	@rm -f $(units:$(BUILD)/%=build-thread/%)
	units=$$(cd $(BUILD) && grep -lF pthread_create $(units:$(BUILD)/%=%)) && \
		$(MAKE) SANITIZE=thread -j$(jobs) preloads $$(printf 'build-thread/%s ' $$units)
	INFLUXFS=$(CURDIR)/build-thread/influxfs TSAN_OPTIONS=allocator_may_return_null=1 \
		$$($(fixed_addresses) true 2>/dev/null && echo $(fixed_addresses)) python3 tests/run unit.

coverage:
	tests/setup build && tests/setup coverage
	$(MAKE) COVERAGE=1 -j$(jobs) all units
	find build-coverage -name '*.gcda' -delete
	INFLUXFS=$(CURDIR)/build-coverage/influxfs python3 tests/run $(TESTS); python3 tests/coverage build-coverage

FUZZ_SECONDS ?= $(if $(filter soak,$(MAKECMDGOALS)),300,30)
SOAK_FIRST ?= 1
SOAK_SEEDS ?= 50
fuzz_switches = FUZZ=1 DEBUG= SANITIZE= COVERAGE=

fuzz:
	tests/setup build && tests/setup fuzz
	$(alone) $(MAKE) WERROR=1 $(fuzz_switches) -j$(jobs) fuzzers
	python3 tests/fuzz/run $(FUZZ_SECONDS)

soak:
	tests/setup build && tests/setup test
	$(MAKE) -j$(jobs) all
	INFLUXFS_SEEDS=$(SOAK_FIRST):$(SOAK_SEEDS) python3 tests/run RandomDumpTest MutatorTest
	$(MAKE) fuzz FUZZ_SECONDS=$(FUZZ_SECONDS)

bench:
	tests/setup build && tests/setup test
	$(MAKE) -j$(jobs) all
	python3 tests/bench/run

# Where files go. With PREFIX=/usr configuration is in /etc; elsewhere all of it is below PREFIX.
bindir = $(PREFIX)/bin
sbindir = $(PREFIX)/sbin
datadir = $(PREFIX)/share
mandir = $(datadir)/man
bashdir = $(datadir)/bash-completion/completions
zshdir = $(datadir)/zsh/site-functions
unitdir = $(PREFIX)/lib/systemd/system
sysconfdir = $(if $(filter /usr,$(PREFIX)),/etc,$(PREFIX)/etc)
listed = $(datadir)/influxfs/installed
stage := $(BUILD)/stage

# Manuals and units name files of ours by where they are with PREFIX=/usr.
placed = sed -e 's,/usr/\(s\?bin/\(mount\.\)\?influx\),$(PREFIX)/\1,g' \
	-e 's,/usr/share/\(doc/\)\?influxfs,$(datadir)/\1influxfs,g' \
	-e 's,/etc/\(default/\)\?influxfs,$(sysconfdir)/\1influxfs,g'

# $(call texts,FOLDER,FILES): into the stage, where they have no .bash or .default after their names
define texts
	@mkdir -p $(stage)$(1)
	@for f in $(2); do n=$${f##*/}; n=$${n%.bash}; \
		$(placed) $$f >$(stage)$(1)/$${n%.default} || exit 1; done

endef

# All that is installed, as a tree. Each put into its place is one step, since it may be in use.
stage: all
	@rm -rf $(stage)
	@install -D -t $(stage)$(bindir) $(BUILD)/influxfs $(BUILD)/influxsnap $(nightly)
	@install -D -t $(stage)$(sbindir) $(BUILD)/mount.influxfs
	@ln -s mount.influxfs $(stage)$(sbindir)/mount.fuse.influxfs
	$(foreach n,1 5 7 8,$(call texts,$(mandir)/man$(n),$(wildcard man/*.$(n))))
	@ln -s mount.influxfs.8 $(stage)$(mandir)/man8/mount.fuse.influxfs.8
	$(call texts,$(unitdir),$(wildcard mount-helper/systemd/*))
	$(call texts,$(sysconfdir)/default,mount-helper/influxfs.default)
	@install -d $(stage)$(sysconfdir)/influxfs
	$(call texts,$(bashdir),$(wildcard mount-helper/completion/*.bash))
	$(call texts,$(zshdir),$(wildcard mount-helper/completion/_*))
	$(call texts,$(datadir)/influxfs/monitoring,$(wildcard mount-helper/monitoring/*))
	$(call texts,$(datadir)/doc/influxfs,README.md)
	@chmod -R u=rwX,go=rX $(stage)

install: stage
	mount-helper/installer put $(stage) "$(DESTDIR)" $(sysconfdir) $(listed)
ifeq ($(filter /sbin /usr/sbin,$(sbindir)),)
	@echo 'mount(8) looks in /sbin only: ln -s $(sbindir)/mount.influxfs $(sbindir)/mount.fuse.influxfs /sbin/'
endif

uninstall:
	mount-helper/installer take "$(DESTDIR)" $(listed)

# The packages are built from a copy of what they are made of, so that nothing else is in them, and
# debhelper finds debian/ where it looks for it.
deb_dir := build/deb/influxfs-$(VERSION)
deb_src := $(wildcard Makefile README.md fs/* store/*/* man/* mount-helper/* mount-helper/*/*)

deb:
	tests/setup package
	@mkdir -p build; flock build/.lock $(MAKE) build/deb/built

build/deb/built: $(deb_src)
	rm -rf build/deb build/influxfs*_*.deb
	mkdir -p $(deb_dir)
	cp -r Makefile README.md fs store man mount-helper $(deb_dir)
	cp -r mount-helper/debian $(deb_dir)/debian
	cd $(deb_dir) && env -u MAKEFLAGS -u MAKELEVEL DEB_BUILD_OPTIONS="parallel=$(jobs) $$DEB_BUILD_OPTIONS" \
		dpkg-buildpackage --build=binary --no-sign
	mv build/deb/influxfs*_*.deb build/
	@touch $@

c_files = $(wildcard fs/*.[ch] store/*/*.[ch] mount-helper/*.[ch] mount-helper/nightly/*.[ch] tests/*/*.[ch])

format:
	tests/setup lint
	@clang-format -i $(c_files)

lint:
	tests/setup build && tests/setup lint
	@clang-format --dry-run -Werror $(c_files)
	$(alone) $(MAKE) WERROR=1 $(fuzz_switches) -j$(jobs) all units
	python3 tests/house build-fuzz
	$(MAKE) $(fuzz_switches) tidy
	shellcheck tests/setup tests/lib/boot .ci/run tests/lib/world.sh tests/lib/world/apt-get \
		tests/lib/world/systemctl $$(grep -rl '^#!/bin/sh' mount-helper)
	shellcheck -s bash mount-helper/completion/*.bash
	for m in man/*; do mandoc -T lint -W warning $$m || exit 1; done

# How many states of a function are followed. clang's own 225000 found no more here, and take eight times as long.
TIDY_STATES ?= 20000

tidy:
	@echo $(store_src) $(snap_src) $(fs_src) $(helper_src) $(nightly_src) | xargs -P$(jobs) -n8 sh -c 'clang-tidy --quiet "$$@" \
		-- -std=c17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DINFLUXFS_VERSION=\"$(VERSION)\" \
		-Xclang -analyzer-config -Xclang max-nodes=$(TIDY_STATES) -I. -I$(BUILD) $(store_flags) $(fuse_flags)' tidy

clean:
	rm -rf build build-*

.PHONY: all units preloads fuzzers demo test sanitize coverage fuzz soak bench stage install uninstall deb \
	format lint tidy clean
.DELETE_ON_ERROR:

-include $(store_obj:.o=.d) $(snap_obj:.o=.d) $(fs_obj:.o=.d) $(helper_obj:.o=.d) $(nightly_obj:.o=.d) $(units:=.d) $(preloads:.so=.d) \
	$(fuzzers:=.d)
