# SPDX-License-Identifier: BSD-3-Clause
# One Makefile for everything.  'make help' lists what it can do.
#
# Variables: V=1 shows commands; O=DIR/ puts everything built below DIR
# (the sanitizer builds use it); CC, CFLAGS, LDFLAGS, PREFIX, DESTDIR;
# WITHOUT_NBD=1 and WITHOUT_ZSTD=1 build without libnbd and libzstd.

VERSION   := 0.2.0
SOVERSION := 1

PREFIX    ?= /usr/local
LIBDIR    ?= $(PREFIX)/lib
BINDIR    ?= $(PREFIX)/bin
INCDIR    ?= $(PREFIX)/include
MANDIR    ?= $(PREFIX)/share/man
DOCDIR    ?= $(PREFIX)/share/doc/vdisk
COMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions
PKG_CONFIG ?= pkg-config
OBJCOPY   ?= objcopy
PLUGINDIR ?= $(shell $(PKG_CONFIG) --variable=plugindir nbdkit)

O ?=
OBJ := $(or $(O),build/)obj

CFLAGS    ?= -O2 -g
WARNINGS  := -Wall -Wextra -Wshadow -Wvla -Wundef -Wstrict-prototypes \
             -Wmissing-prototypes -Wwrite-strings -Wformat=2 -Wno-psabi
WITHOUT   := $(strip $(if $(WITHOUT_NBD),libnbd) $(if $(WITHOUT_ZSTD),libzstd))
LIB_PKGS  := $(filter-out $(WITHOUT),libdeflate libzstd jansson libnbd \
             libxxhash nettle)
TOOL_PKGS := $(filter-out $(WITHOUT),jansson libnbd libxxhash libzstd zlib)
override CFLAGS += -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 \
             -DVDISK_VERSION='"$(VERSION)"' $(WARNINGS) -Ilib -fPIC \
             -pthread -MMD -MP \
             $(shell $(PKG_CONFIG) --cflags $(LIB_PKGS))
override LDFLAGS += -pthread

# What makes faults harder to use, as far as the compiler has it; 'HARDEN='
# goes without.  Sanitizers look at the same calls themselves, and the
# checked ones of the C library need an optimizing compiler.
compiles = $(shell $(CC) -Werror $(1) -x c -c -o /dev/null /dev/null \
    2>/dev/null && echo $(1))
fortified = -D_FORTIFY_SOURCE=$(if $(call compiles,-O1 -U_FORTIFY_SOURCE \
    -D_FORTIFY_SOURCE=3 -include features.h),3,2)
ifeq ($(findstring -fsanitize,$(CFLAGS) $(LDFLAGS)),)
HARDEN ?= yes
endif
ifneq ($(HARDEN),)
HARDEN_CFLAGS := $(call compiles,-fstack-protector-strong) \
    $(call compiles,-fstack-clash-protection)
ifneq ($(filter-out -O0,$(lastword $(filter -O%,$(CFLAGS)))),)
ifeq ($(findstring _FORTIFY_SOURCE,$(CPPFLAGS) $(CFLAGS)),)
HARDEN_CFLAGS += -U_FORTIFY_SOURCE $(fortified)
endif
endif
override LDFLAGS := -Wl,-z,relro,-z,now $(LDFLAGS)
PIE := -pie
endif
LIB_LIBS  := $(shell $(PKG_CONFIG) --libs $(LIB_PKGS))

ifeq ($(V),1)
Q :=
else
Q := @
say = @printf '  %-7s %s\n' $(1) $(2)
endif

# One file of each pair.
NBD_C     := lib/util/nbd-connection-none.c lib/util/nbd-connection.c
ZSTD_C    := lib/util/zstd-codec-none.c lib/util/zstd-codec.c
LEFT_OUT  := $(word $(if $(WITHOUT_NBD),2,1),$(NBD_C)) \
             $(word $(if $(WITHOUT_ZSTD),2,1),$(ZSTD_C))
LIB_C     := $(filter-out $(LEFT_OUT), \
             $(wildcard lib/*.c lib/*/*.c lib/*/*/*.c lib/*/*/*/*.c))
TOOLS_C   := $(wildcard tools/*.c tools/*/*.c)
# Suites of what a build may be without.
UNIT_NOT  := $(if $(WITHOUT_NBD),nbd-pool) \
             $(if $(WITHOUT_ZSTD),no-memory qcow2-packed threads)
UNIT_C    := $(filter-out $(UNIT_NOT:%=tests/unit/test-%.c), \
             $(wildcard tests/unit/test-*.c))
UNIT_SUPPORT_C := $(filter-out tests/unit/test-%,$(wildcard tests/unit/*.c))
E2E       := $(sort $(wildcard tests/e2e/test-*.sh))
FUZZ_C    := $(wildcard tests/fuzz/fuzz-*.c)
MUTATOR_C := $(wildcard tests/fuzz/mutator-*.c)
FUZZ_SUPPORT_C := $(filter-out $(FUZZ_C) $(MUTATOR_C) tests/fuzz/mutate% \
             tests/fuzz/replay.c tests/fuzz/compare.c, \
             $(wildcard tests/fuzz/*.c))
MUTATE_C  := $(wildcard tests/fuzz/mutate*.c)
EXAMPLES  := $(wildcard docs/examples/*.c)
BENCH_C   := $(wildcard scripts/bench/*.c)

LIB_O     := $(LIB_C:%.c=$(OBJ)/%.o)
UTIL_O    := $(filter $(OBJ)/lib/util/%,$(LIB_O))
TOOLS_O   := $(TOOLS_C:%.c=$(OBJ)/%.o)
UNIT      := $(UNIT_C:tests/unit/%.c=$(O)build/unit/%)
UNIT_SUPPORT_O := $(UNIT_SUPPORT_C:%.c=$(OBJ)/%.o)
FUZZ      := $(FUZZ_C:tests/fuzz/%.c=$(O)build/fuzz/%)
REPLAY    := $(FUZZ_C:tests/fuzz/fuzz-%.c=$(O)build/replay/replay-%)
FUZZ_SUPPORT_O := $(FUZZ_SUPPORT_C:%.c=$(OBJ)/%.o)
MUTATE_O  := $(MUTATE_C:%.c=$(OBJ)/%.o)
FUZZ_TOOLS := $(OBJ)/tools/parsers.a
MAN       := $(patsubst lib/%.pod,build/man/%.3,$(wildcard lib/*.pod)) \
             $(patsubst plugin/%.pod,build/man/%.1,$(wildcard plugin/*.pod)) \
             $(patsubst tools/%.pod,build/man/%.1,$(wildcard tools/*.pod))

PLUGIN    := $(O)plugin/nbdkit-vdisk-plugin.so
STATIC    := $(O)lib/libvdisk.a
# For what is built here and uses what is the library's own, and what is of
# use to the tool as well.
INTERNAL  := $(OBJ)/lib/internal.a
UTIL      := $(OBJ)/lib/util.a
SHARED    := $(O)lib/libvdisk.so
TOOL      := $(O)tools/vdisk
TOOL_SHARED := $(O)build/shared/vdisk
BENCH     := $(addprefix $(O)build/bench/,nbd-walk nbd-load nbd-start timed \
             table-scan library-walk nbdkit-extents-plugin.so)

.DELETE_ON_ERROR:
.PHONY: all help clean install uninstall check check-unit check-e2e \
        check-asan check-tsan check-valgrind check-samples check-docs \
        check-quick check-shared force \
        unit-programs man \
        run-sanitized run-tsan soak fuzz build-fuzz fuzz-programs \
        fuzz-coverage fuzz-sample replay-programs bench bench-programs

all: $(PLUGIN) $(STATIC) $(SHARED) $(TOOL) man

help:
	@sed -n 's/^## *//p' Makefile

# --- What is built ------------------------------------------------------

## make                 plugin, library, tool and man pages
$(OBJ)/%.o: %.c Makefile
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HARDEN_CFLAGS) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# Is newer than what has been built with something more, or less.
$(OBJ)/without: force
	@mkdir -p $(@D)
	@echo '$(WITHOUT)' | cmp -s - $@ || echo '$(WITHOUT)' > $@

$(INTERNAL): $(LIB_O) $(OBJ)/without
	$(call say,AR,$@)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) crs $@ $(LIB_O)

$(UTIL): $(UTIL_O) $(OBJ)/without
	$(call say,AR,$@)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) crs $@ $(UTIL_O)

# One object, of which only the interface can be seen.
$(STATIC): $(LIB_O) $(OBJ)/without
	$(call say,AR,$@)
	@mkdir -p $(@D)
	$(Q)$(LD) -r -o $(OBJ)/libvdisk.o $(LIB_O)
	$(Q)$(OBJCOPY) --wildcard --keep-global-symbol='vdisk_*' \
	    $(OBJ)/libvdisk.o
	$(Q)rm -f $@ && $(AR) crs $@ $(OBJ)/libvdisk.o

$(SHARED): $(LIB_O) $(OBJ)/without lib/libvdisk.map
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -shared \
	    -Wl,-soname,libvdisk.so.$(SOVERSION) \
	    -Wl,--version-script=lib/libvdisk.map -o $@ $(LIB_O) $(LIB_LIBS)

$(OBJ)/plugin/%.o: override CFLAGS += \
    $(shell $(PKG_CONFIG) --cflags nbdkit)

PLUGIN_O  := $(patsubst %.c,$(OBJ)/%.o,$(wildcard plugin/*.c))

$(PLUGIN): $(PLUGIN_O) $(INTERNAL) plugin/plugin.map
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -shared \
	    -Wl,--version-script=plugin/plugin.map \
	    -o $@ $(PLUGIN_O) $(INTERNAL) $(LIB_LIBS)

$(OBJ)/tools/%.o: override CFLAGS += -Itools \
    $(shell $(PKG_CONFIG) --cflags $(TOOL_PKGS))

LINK_TOOL = $(CC) $(CFLAGS) $(PIE) $(LDFLAGS) -o $@ $(filter %.o %.a %.so,$^)
TOOL_LIBS := $(shell $(PKG_CONFIG) --libs $(TOOL_PKGS))

$(TOOL): $(TOOLS_O) $(UTIL) $(STATIC)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(LINK_TOOL) $(TOOL_LIBS) $(LIB_LIBS)

# The same with the shared library, which it finds beside itself.
$(TOOL_SHARED): $(TOOLS_O) $(UTIL) $(SHARED)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)ln -sf $(abspath $(SHARED)) $(@D)/libvdisk.so.$(SOVERSION)
	$(Q)$(LINK_TOOL) -Wl,-rpath,'$$ORIGIN' $(TOOL_LIBS)

man: $(MAN)

POD2MAN = pod2man --utf8 --errors=die --center=vdisk \
    --release=vdisk-$(VERSION) --name=$* --section=$(subst .,,$(suffix $@))

build/man/%.1: tools/%.pod
	$(call say,POD,$<)
	@mkdir -p $(@D)
	$(Q)$(POD2MAN) $< $@
build/man/%.1: plugin/%.pod
	$(call say,POD,$<)
	@mkdir -p $(@D)
	$(Q)$(POD2MAN) $< $@
build/man/%.3: lib/%.pod
	$(call say,POD,$<)
	@mkdir -p $(@D)
	$(Q)$(POD2MAN) $< $@

# --- Tests --------------------------------------------------------------

CHECK_PKGS := check libzstd
$(OBJ)/tests/unit/%.o: override CFLAGS += -Itests/unit \
    $(shell $(PKG_CONFIG) --cflags $(CHECK_PKGS))

$(UNIT): $(O)build/unit/%: $(OBJ)/tests/unit/%.o $(UNIT_SUPPORT_O) $(INTERNAL)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIB_LIBS) \
	    $(shell $(PKG_CONFIG) --libs $(CHECK_PKGS))

# This one has allocators of its own, which fail.
FAILING := malloc calloc realloc reallocarray free strdup strndup asprintf \
           __asprintf_chk realpath libdeflate_alloc_decompressor ZSTD_createDCtx
$(O)build/unit/test-no-memory: override LDFLAGS += \
    $(FAILING:%=-Wl,--wrap=%)

# For comparing with QEMU: see tests/fuzz/compare.c.
COMPARE   := $(O)build/replay/compare
$(COMPARE): $(OBJ)/tests/fuzz/compare.o $(INTERNAL)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIB_LIBS)

# The suites, and what replays inputs that were found by fuzzing.
SUITES    := $(UNIT) $(REPLAY)
unit-programs: $(SUITES)

# One run of the unit suites and the e2e scripts, against what is built
# below O.  TESTS='...' runs some of them: names of suites or scripts.
RUN_UNIT = $(if $(TESTS),$(filter $(addprefix %/,$(TESTS)),$(SUITES)),$(SUITES))
RUN_E2E  = $(if $(TESTS),$(filter $(addprefix %/,$(TESTS)),$(E2E)),$(E2E))

## make check           all tests: docs, unit, e2e, both again with sanitizers, and a sample of fuzzing
# Of the random images it makes a part, so that it takes under twenty minutes;
# 'make check CHECK_SCALE=1' makes them all, as 'make check-e2e' does.
CHECK_SCALE ?= 0.15
check: all unit-programs $(COMPARE) bench-programs
	scripts/check-docs
	scripts/check-layers
	VDISK_SCALE=$(CHECK_SCALE) tests/run $(SUITES) $(E2E)
	$(MAKE) check-shared
	$(MAKE) check-asan
	$(MAKE) fuzz-sample

# For who mends a line: what is quick of the suites, and a script or two of
# every area.
QUICK_NOT := $(addprefix %/test-,no-memory reference-race threads lock \
    nbd-pool vhd-check-space)
QUICK_E2E := $(patsubst %,tests/e2e/test-%.sh,chain-shapes check-tool clients \
    export-options export-raw host-holes info locks map-clusters map-nbdinfo \
    nbd-source output-as parameters qcow2-sizes qcow2-feature-bits tool-usage \
    vhd-footers vhd-raw-parent)
## make check-quick     a part of all that, in about a minute
check-quick: all unit-programs $(COMPARE)
	scripts/check-docs
	scripts/check-layers
	VDISK_SCALE=0.05 tests/run $(filter-out $(QUICK_NOT),$(SUITES)) \
	    $(QUICK_E2E)

## make check-unit      unit suites   (TESTS='test-qcow2 ...' picks)
check-unit: unit-programs
	tests/run $(RUN_UNIT)

## make check-e2e       end-to-end tests   (TESTS='test-map.sh ...' picks)
check-e2e: all $(COMPARE) bench-programs
	PLUGIN=$(PLUGIN) tests/run $(RUN_E2E)

check-docs: all
	scripts/check-docs
	scripts/check-layers

# A script or two of all that the tool does.
SHARED_E2E := $(patsubst %,tests/e2e/test-%.sh,check-tool completion \
    export-chunked export-nbd export-options export-parts export-qcow2 \
    export-qcow2-compressed export-raw export-vhd \
    export-xva info map-clusters map-nbdinfo tool-usage verbose)
## make check-shared    the tool with the shared library: a part of the e2e tests
check-shared: $(TOOL_SHARED) all
	VDISK=$(abspath $(TOOL_SHARED)) VDISK_SCALE=0.1 tests/run \
	    --log-dir build/shared/test-logs \
	    $(if $(TESTS),$(RUN_E2E),$(SHARED_E2E))

# The e2e scripts make few of their random images here: everything is
# slower.  Leaks are the unit suites' to find: nbdkit has some of its own,
# and unloads the plugin before they are looked for.
# Left out, unless they are asked for: what measures time and memory, which
# is other than it is elsewhere (check-hostile and map-hostile among it,
# whose limits of time are for programs without sanitizers: fuzzing has what
# is hostile and small), what runs no code of ours, and what takes long and
# runs only code that others run.
SANITIZED_NOT := $(addprefix %/test-,$(addsuffix .sh,bench check-hostile \
    export-memory export-progress export-readers export-sources filesystem \
    fuzz-differential hardening info-vhd install library-examples \
    library-version limits map-hostile map-large \
    nbd-source-large output-qcow2 qcow2-huge runner vhd-locators vhd-oracle \
    vhd-size views-hostile \
    views-memory without))
SANITIZED_E2E = $(if $(TESTS),$(RUN_E2E),$(filter-out $(SANITIZED_NOT),$(E2E)))
## make check-asan      unit and e2e under the address and undefined sanitizers
ASAN_FLAGS := -O1 -g -fno-omit-frame-pointer \
    -fsanitize=address,undefined -fno-sanitize-recover=all
SANITIZED_SCALE ?= 0.06
check-asan:
	$(MAKE) O=build/asan/ CC=gcc CFLAGS='$(ASAN_FLAGS)' \
	    LDFLAGS='$(ASAN_FLAGS)' run-sanitized \
	    NBDKIT_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)"

run-sanitized: $(PLUGIN) $(TOOL) $(SUITES) $(COMPARE)
	UBSAN_OPTIONS=print_stacktrace=1 \
	    tests/run --log-dir build/asan/test-logs $(RUN_UNIT)
	VDISK_SCALE=$(SANITIZED_SCALE) VDISK=$(CURDIR)/$(TOOL) PLUGIN=$(PLUGIN) \
	COMPARE=$(CURDIR)/$(COMPARE) \
	NBDKIT_PRELOAD='$(NBDKIT_PRELOAD)' \
	UBSAN_OPTIONS=print_stacktrace=1 ASAN_OPTIONS=detect_leaks=0 \
	    tests/run --log-dir build/asan/test-logs $(SANITIZED_E2E)

# The suites with threads, and nbdkit with many clients.  nbdkit itself is
# not instrumented: its own races are not seen.
## make check-tsan      what has threads under the thread sanitizer
TSAN_FLAGS := -O1 -g -fsanitize=thread
TSAN_TESTS := test-cache test-image test-source test-extent-cache \
    test-read-ahead test-qcow2-packed test-threads test-semaphore \
    test-open test-cancel test-nbd-pool
TSAN_E2E := test-parallel-clients.sh test-soak.sh test-export-random.sh
check-tsan:
	$(MAKE) O=build/tsan/ CC=gcc CFLAGS='$(TSAN_FLAGS)' \
	    LDFLAGS='$(TSAN_FLAGS)' run-tsan \
	    NBDKIT_PRELOAD="$$(gcc -print-file-name=libtsan.so)"

run-tsan: $(PLUGIN) $(TOOL) unit-programs
	TSAN_OPTIONS=halt_on_error=1 CK_FORK=no \
	    tests/run --log-dir build/tsan/test-logs \
	    $(filter $(addprefix %/,$(TSAN_TESTS)),$(UNIT))
	PLUGIN=$(PLUGIN) NBDKIT_PRELOAD='$(NBDKIT_PRELOAD)' \
	VDISK=$(CURDIR)/$(TOOL) VDISK_SCALE=0.3 TSAN_OPTIONS=halt_on_error=1 \
	    tests/run --log-dir build/tsan/test-logs \
	    $(filter $(addprefix %/,$(TSAN_E2E)),$(E2E))

## make soak            clients that come and go for long  (SOAK_TIME=600 seconds)
SOAK_TIME ?= 600
soak: all
	SOAK_TIME=$(SOAK_TIME) VDISK_TEST_TIMEOUT=$$(( $(SOAK_TIME) * 2 + 300 )) \
	    tests/run tests/e2e/test-soak.sh
	@grep '^soak:' build/test-logs/test-soak.sh.log

## make check-valgrind  unit suites under valgrind
VALGRIND := valgrind -q --error-exitcode=99 --leak-check=full \
    --show-leak-kinds=definite,indirect,possible
check-valgrind: unit-programs
	@mkdir -p build/valgrind
	@for unit in $(SUITES); do \
	    printf '#!/bin/sh\nexec %s %s\n' '$(VALGRIND)' "$$PWD/$$unit" \
	        > build/valgrind/$$(basename $$unit); \
	    chmod +x build/valgrind/$$(basename $$unit); \
	done
	CK_FORK=no VDISK_VALGRIND=1 VDISK_TEST_TIMEOUT=900 \
	    tests/run --log-dir build/valgrind/test-logs \
	    $(patsubst %,build/valgrind/%,$(notdir $(SUITES)))

## make check-samples   images by real software against their digests   (SAMPLES=DIRECTORY)
check-samples: all
	VDISK=$(TOOL) tests/check-samples.py $(SAMPLES)

# --- Fuzzing ------------------------------------------------------------

$(OBJ)/tests/fuzz/%.o: override CFLAGS += -I. -Itools -Itests/unit \
    -Itests/fuzz $(HARNESS_FLAGS) \
    $(shell $(PKG_CONFIG) --cflags $(TOOL_PKGS))
FUZZ_LIBS = $(LIB_LIBS) $(shell $(PKG_CONFIG) --libs $(TOOL_PKGS) libzstd)

# All of the tool but the commands.
$(FUZZ_TOOLS): $(patsubst %.c,$(OBJ)/%.o,$(filter-out tools/main.c \
    tools/cmd-%,$(TOOLS_C)))
	$(Q)rm -f $@ && $(AR) crs $@ $^

$(FUZZ): $(O)build/fuzz/fuzz-%: $(OBJ)/tests/fuzz/fuzz-%.o \
    $(OBJ)/tests/fuzz/mutator-%.o $(FUZZ_SUPPORT_O) $(MUTATE_O) \
    $(FUZZ_TOOLS) $(INTERNAL)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(FUZZ_LIBS)

# The same targets with a main of their own.
$(REPLAY): $(O)build/replay/replay-%: $(OBJ)/tests/fuzz/fuzz-%.o \
    $(OBJ)/tests/fuzz/replay.o $(FUZZ_SUPPORT_O) $(FUZZ_TOOLS) $(INTERNAL)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(FUZZ_LIBS)

fuzz-programs: $(FUZZ)

## make fuzz            fuzz each target for FUZZ_TIME=60 seconds   (FUZZ_TARGETS='qcow2 ...' picks)
FUZZ_TIME ?= 60
FUZZ_TARGETS ?= $(FUZZ_C:tests/fuzz/fuzz-%.c=%)
FUZZ_COVERAGE := inline-8bit-counters,pc-table
FUZZ_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all
build-fuzz:
	$(MAKE) O=build/fuzz/ CC=clang CFLAGS='-O2 -g $(FUZZ_SANITIZE) \
	    -fno-omit-frame-pointer -fsanitize-coverage=$(FUZZ_COVERAGE)' \
	    HARNESS_FLAGS='-fno-sanitize-coverage=$(FUZZ_COVERAGE) \
	        -fno-sanitize=address,undefined' \
	    LDFLAGS='$(FUZZ_SANITIZE)' fuzz-programs

fuzz: build-fuzz
	tests/fuzz/run.py --time $(FUZZ_TIME) $(FUZZ_TARGETS)

## make fuzz-sample     a part of that, which FUZZ_SEED=1 decides: it gives the same each time
FUZZ_SEED ?= 1
fuzz-sample: build-fuzz
	tests/fuzz/run.py --sample $(FUZZ_SEED) $(FUZZ_TARGETS)

## make fuzz-coverage   lines of lib/format that the corpora of 'make fuzz' reach
COVERAGE_FLAGS := -O1 -g -fprofile-instr-generate -fcoverage-mapping
fuzz-coverage:
	$(MAKE) O=build/coverage/ CC=clang CFLAGS='$(COVERAGE_FLAGS)' \
	    LDFLAGS='$(COVERAGE_FLAGS)' replay-programs
	tests/fuzz/coverage.sh build/coverage/build/replay

replay-programs: $(REPLAY)

# --- Benchmark ----------------------------------------------------------

$(BENCH_C:%.c=$(OBJ)/%.o): override CFLAGS += -Iscripts/bench \
    $(shell $(PKG_CONFIG) --cflags nbdkit libnbd)

.SECONDARY: $(BENCH_C:%.c=$(OBJ)/%.o)

$(O)build/bench/nbd-%: $(OBJ)/scripts/bench/nbd-%.o \
                       $(OBJ)/scripts/bench/disk-map.o
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ \
	    $(shell $(PKG_CONFIG) --libs libnbd)

$(O)build/bench/nbdkit-%-plugin.so: $(OBJ)/scripts/bench/%-plugin.o
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -shared -o $@ $<

$(O)build/bench/%: $(OBJ)/scripts/bench/%.o $(INTERNAL)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -Wl,--as-needed $(LIB_LIBS)

bench-programs: $(BENCH)

## make bench           compare with other programs   (ROWS='map copy ...' picks)
bench: all bench-programs
	scripts/bench/bench.py $(ROWS)

# --- Installing ---------------------------------------------------------

## make install         honours DESTDIR, PREFIX; the plugin goes to nbdkit's plugindir
install: all
	install -d $(DESTDIR)$(PLUGINDIR) $(DESTDIR)$(LIBDIR)/pkgconfig \
	    $(DESTDIR)$(INCDIR) $(DESTDIR)$(MANDIR)/man1 \
	    $(DESTDIR)$(MANDIR)/man3 $(DESTDIR)$(BINDIR) \
	    $(DESTDIR)$(COMPLETIONDIR) $(DESTDIR)$(DOCDIR)/examples
	install -m 755 $(PLUGIN) $(DESTDIR)$(PLUGINDIR)/
	install -m 644 $(STATIC) $(DESTDIR)$(LIBDIR)/
	install -m 755 $(SHARED) $(DESTDIR)$(LIBDIR)/libvdisk.so.$(VERSION)
	ln -sf libvdisk.so.$(VERSION) \
	    $(DESTDIR)$(LIBDIR)/libvdisk.so.$(SOVERSION)
	ln -sf libvdisk.so.$(SOVERSION) $(DESTDIR)$(LIBDIR)/libvdisk.so
	install -m 644 lib/vdisk.h $(DESTDIR)$(INCDIR)/
	sed -e 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|' \
	    -e 's|@INCDIR@|$(INCDIR)|; s|@VERSION@|$(VERSION)|' \
	    -e 's|@REQUIRES@|$(LIB_PKGS)|' \
	    lib/libvdisk.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/libvdisk.pc
	install -m 755 $(TOOL) $(DESTDIR)$(BINDIR)/
	install -m 644 tools/completion.bash $(DESTDIR)$(COMPLETIONDIR)/vdisk
	install -m 644 plugin/nbdkit-vdisk@.service $(EXAMPLES) \
	    $(DESTDIR)$(DOCDIR)/examples/
	install -m 644 $(filter %.1,$(MAN)) $(DESTDIR)$(MANDIR)/man1/
	install -m 644 $(filter %.3,$(MAN)) $(DESTDIR)$(MANDIR)/man3/

# All that 'install' puts anywhere.
INSTALLED = $(PLUGINDIR)/$(notdir $(PLUGIN)) \
    $(LIBDIR)/$(notdir $(STATIC)) $(LIBDIR)/libvdisk.so \
    $(LIBDIR)/libvdisk.so.$(SOVERSION) $(LIBDIR)/libvdisk.so.$(VERSION) \
    $(LIBDIR)/pkgconfig/libvdisk.pc $(INCDIR)/vdisk.h $(BINDIR)/vdisk \
    $(COMPLETIONDIR)/vdisk $(DOCDIR)/examples/nbdkit-vdisk@.service \
    $(EXAMPLES:docs/%=$(DOCDIR)/%) \
    $(patsubst build/man/%,$(MANDIR)/man1/%,$(filter %.1,$(MAN))) \
    $(patsubst build/man/%,$(MANDIR)/man3/%,$(filter %.3,$(MAN)))

## make uninstall       remove what 'make install' with the same variables put
# Directories stay, since others may use them, but for those of our own.
uninstall:
	rm -f $(addprefix $(DESTDIR),$(INSTALLED))
	rmdir $(DESTDIR)$(DOCDIR)/examples $(DESTDIR)$(DOCDIR) 2>/dev/null || true

## make clean           remove everything built
clean:
	rm -rf build plugin/*.so lib/libvdisk.a lib/libvdisk.so tools/vdisk

-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)
