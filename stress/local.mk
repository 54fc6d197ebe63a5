# SPDX-License-Identifier: MIT
# Long-running programs with oracles; make check runs them for seconds, make soak for as long as wanted.

# Linked as a user links: only what the library exports. -no-install: no wrapper script around it.
stress_programs =
stress_programs += %D%/arenas
stress_programs += %D%/bulk
stress_programs += %D%/deep
stress_programs += %D%/graph
stress_programs += %D%/handoff
stress_programs += %D%/hashmap
stress_programs += %D%/life
stress_programs += %D%/lockfree
stress_programs += %D%/lru
stress_programs += %D%/roots
stress_programs += %D%/servers
stress_programs += %D%/sizes
check_PROGRAMS += $(stress_programs)
TESTS += $(stress_programs)

# What all but arenas have.
stress_common =
stress_common += %D%/driver.c
stress_common += %D%/driver.h
stress_common += %D%/guard.c
stress_common += %D%/guard.h
stress_common += %D%/moments.c
stress_common += %D%/moments.h
stress_common += %D%/objects.c
stress_common += %D%/objects.h
stress_common += %D%/parcel.c
stress_common += %D%/parcel.h
stress_common += %D%/shadow.c
stress_common += %D%/shadow.h
stress_common += %D%/worker.c
stress_common += %D%/worker.h

stress_arenas_LDADD = libtricolor.la
stress_arenas_LDFLAGS = -no-install
stress_arenas_SOURCES =
stress_arenas_SOURCES += %D%/arenas.c
stress_arenas_SOURCES += %D%/worker.c
stress_arenas_SOURCES += %D%/worker.h

stress_bulk_LDADD = libtricolor.la
stress_bulk_LDFLAGS = -no-install
stress_bulk_SOURCES = $(stress_common)
stress_bulk_SOURCES += %D%/bulk.c
stress_bulk_SOURCES += %D%/bulk.h
stress_bulk_SOURCES += %D%/fields.c
stress_bulk_SOURCES += %D%/fields.h
stress_bulk_SOURCES += %D%/ranges.c
stress_bulk_SOURCES += %D%/rows.c

stress_deep_LDADD = libtricolor.la
stress_deep_LDFLAGS = -no-install
stress_deep_SOURCES = $(stress_common)
stress_deep_SOURCES += %D%/deep.c

stress_graph_LDADD = libtricolor.la
stress_graph_LDFLAGS = -no-install
stress_graph_SOURCES = $(stress_common)
stress_graph_SOURCES += %D%/acts.h
stress_graph_SOURCES += %D%/crowd.c
stress_graph_SOURCES += %D%/graph.c
stress_graph_SOURCES += %D%/mutate.c
stress_graph_SOURCES += %D%/own.c
stress_graph_SOURCES += %D%/patterns.c
stress_graph_SOURCES += %D%/world.c
stress_graph_SOURCES += %D%/world.h

stress_handoff_LDADD = libtricolor.la
stress_handoff_LDFLAGS = -no-install
stress_handoff_SOURCES = $(stress_common)
stress_handoff_SOURCES += %D%/handoff.c

stress_hashmap_LDADD = libtricolor.la
stress_hashmap_LDFLAGS = -no-install
stress_hashmap_SOURCES = $(stress_common)
stress_hashmap_SOURCES += %D%/hashmap.c

stress_life_LDADD = libtricolor.la
stress_life_LDFLAGS = -no-install
stress_life_SOURCES = $(stress_common)
stress_life_SOURCES += %D%/life.c

stress_lockfree_LDADD = libtricolor.la
stress_lockfree_LDFLAGS = -no-install
stress_lockfree_SOURCES = $(stress_common)
stress_lockfree_SOURCES += %D%/lockfree.c

stress_lru_LDADD = libtricolor.la
stress_lru_LDFLAGS = -no-install
stress_lru_SOURCES = $(stress_common)
stress_lru_SOURCES += %D%/lru.c

stress_roots_LDADD = libtricolor.la
stress_roots_LDFLAGS = -no-install
stress_roots_SOURCES = $(stress_common)
stress_roots_SOURCES += %D%/roots.c

stress_servers_LDADD = libtricolor.la -ldl
stress_servers_LDFLAGS = -no-install
stress_servers_SOURCES = $(stress_common)
stress_servers_SOURCES += %D%/servers.c
stress_servers_SOURCES += %D%/servers.h
stress_servers_SOURCES += %D%/servers_holdings.c
stress_servers_SOURCES += %D%/servers_life.c
stress_servers_SOURCES += %D%/servers_memory.c
stress_servers_SOURCES += %D%/servers_modules.c
stress_servers_SOURCES += %D%/servers_signals.c
stress_servers_SOURCES += %D%/servers_sleep.c
stress_servers_SOURCES += %D%/servers_stacks.c
stress_servers_SOURCES += %D%/servers_table.c

stress_sizes_LDADD = libtricolor.la
stress_sizes_LDFLAGS = -no-install
stress_sizes_SOURCES = $(stress_common)
stress_sizes_SOURCES += %D%/sizes.c

# Opened by servers. -rpath makes them shared objects; they are not installed.
check_LTLIBRARIES = %D%/module_roots.la %D%/module_types.la
stress_module_roots_la_LDFLAGS = -module -avoid-version -rpath /nowhere
stress_module_roots_la_LIBADD = libtricolor.la
stress_module_roots_la_SOURCES = tests/modules/module.h tests/modules/roots.c
# AddressSanitizer has each refer to a name for its `module`: the other one's, if that is open with
# RTLD_GLOBAL, which then stays loaded as long as this one.
stress_module_types_la_LDFLAGS = -module -avoid-version -rpath /nowhere -Wl,-Bsymbolic
stress_module_types_la_LIBADD = libtricolor.la
stress_module_types_la_SOURCES = tests/modules/item.h tests/modules/module.h tests/modules/types.c

# In --enable-debug builds: without one half of the protocol the programs must fail.
fault_tests = %D%/test_faults.sh
EXTRA_DIST += %D%/.clang-tidy
EXTRA_DIST += %D%/test_faults.sh

# make soak DURATION=600: all programs in all verification modes with new seeds, in whatever build this
# is; docs/stress.md.
DURATION = 600
EXTRA_DIST += %D%/soak.sh
soak: $(stress_programs) $(check_LTLIBRARIES) tests/inject/inject$(EXEEXT)
	@$(AM_TESTS_ENVIRONMENT) $(SHELL) $(srcdir)/%D%/soak.sh $(DURATION)
.PHONY: soak
