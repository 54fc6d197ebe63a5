# SPDX-License-Identifier: MIT
# Tests. The unit test of a module is one line in the list `unit_tests`.

# What every program is linked with, unless it says otherwise: all objects, hidden ones included.
LDADD = libtricolor_internal.la $(CHECK_LIBS)

# Each `%D%/test_module` is built from `%D%/test_module.c`, which uses Check. Those that take longest come
# first, in this order, so that the last of them does not run alone in the end; make check-short leaves
# them out.
long_unit_tests =
long_unit_tests += %D%/test_deep_stacks
long_unit_tests += %D%/test_signal_heap
long_unit_tests += %D%/test_signal_sleep
long_unit_tests += %D%/test_oom
long_unit_tests += %D%/test_fork
long_unit_tests += %D%/test_alternate_stacks
long_unit_tests += %D%/test_watchdog
long_unit_tests += %D%/test_life
long_unit_tests += %D%/test_thread_end

unit_tests =
unit_tests += %D%/test_alloc
unit_tests += %D%/test_arena
unit_tests += %D%/test_arena_gc
unit_tests += %D%/test_assist
unit_tests += %D%/test_barrier
unit_tests += %D%/test_base
unit_tests += %D%/test_blocking
unit_tests += %D%/test_buffer
unit_tests += %D%/test_between
unit_tests += %D%/test_bulk_copy
unit_tests += %D%/test_bulk_rules
unit_tests += %D%/test_cache_random
unit_tests += %D%/test_chaos
unit_tests += %D%/test_config
unit_tests += %D%/test_cycle
unit_tests += %D%/test_double_check
unit_tests += %D%/test_dump
unit_tests += %D%/test_fatal
unit_tests += %D%/test_fork_children
unit_tests += %D%/test_fork_windows
unit_tests += %D%/test_gc
unit_tests += %D%/test_handoff
unit_tests += %D%/test_heap_check
unit_tests += %D%/test_heap_defects
unit_tests += %D%/test_kvserver_map
unit_tests += %D%/test_kvserver_values
unit_tests += %D%/test_layout_shapes
unit_tests += %D%/test_marker
unit_tests += %D%/test_mutator
unit_tests += %D%/test_page_cache
unit_tests += %D%/test_pointer_mask
unit_tests += %D%/test_pool
unit_tests += %D%/test_roots
unit_tests += %D%/test_roots_in_mark
unit_tests += %D%/test_shims
unit_tests += %D%/test_signal
unit_tests += %D%/test_signal_cancel
unit_tests += %D%/test_signal_rules
unit_tests += %D%/test_span
unit_tests += %D%/test_starvation
unit_tests += %D%/test_type
unit_tests += %D%/test_type_build
unit_tests += %D%/test_type_end
unit_tests += %D%/test_type_retire
unit_tests += %D%/test_typed
unit_tests += %D%/test_user_stack
unit_tests += %D%/test_verdict
unit_tests += %D%/test_verify
unit_tests += %D%/test_verify_blocking
unit_tests += %D%/test_verify_clobber
unit_tests += %D%/test_verify_clobber_silence
unit_tests += %D%/test_verify_layout
unit_tests += %D%/test_verify_silence
unit_tests += %D%/test_verify_told
unit_tests += %D%/test_window

# These have one thread, so ThreadSanitizer would have nothing to see.
long_one_thread_tests = %D%/test_layout_random

one_thread_tests =
one_thread_tests += %D%/test_bit_cursor
one_thread_tests += %D%/test_bulk
one_thread_tests += %D%/test_cache
one_thread_tests += %D%/test_gc_program
one_thread_tests += %D%/test_heap_bits
one_thread_tests += %D%/test_histogram
one_thread_tests += %D%/test_layout
one_thread_tests += %D%/test_layout_edges
one_thread_tests += %D%/test_member_name
one_thread_tests += %D%/test_page_bits
one_thread_tests += %D%/test_page_heap
one_thread_tests += %D%/test_page_heap_random
one_thread_tests += %D%/test_resolve
one_thread_tests += %D%/test_size_class
one_thread_tests += %D%/test_type_macros

# Scripts see the variables that AM_TESTS_ENVIRONMENT exports below. Status 77 means skipped.
long_script_tests =
long_script_tests += %D%/test_inject.sh
long_script_tests += %D%/test_kvserver.sh
long_script_tests += %D%/test_verify_pages.sh

# What these look at is the same in each build of a compiler's: sources, texts, names.
source_tests =
source_tests += %D%/test_headers.sh
source_tests += %D%/test_cancel_points.sh
source_tests += %D%/test_exports.sh
source_tests += %D%/test_gen_size_classes.sh
source_tests += %D%/test_includes.sh
source_tests += %D%/test_invariant_tags.sh
source_tests += %D%/test_model_functions.sh
source_tests += %D%/test_man.sh
source_tests += %D%/test_mutate_iterator.sh
source_tests += %D%/test_type_compile.sh
source_tests += %D%/test_warnings.sh

script_tests =
script_tests += %D%/test_bench.sh
script_tests += %D%/test_cxx.sh
script_tests += %D%/test_debugging_doc.sh
script_tests += %D%/test_doc_links.sh
script_tests += %D%/test_gdb.sh
script_tests += %D%/test_handoff_doc.sh
script_tests += %D%/test_leaks.sh
script_tests += %D%/test_modules.sh
script_tests += %D%/test_sanitizers.sh
script_tests += %D%/test_sections.sh
script_tests += %D%/test_readme_arena.sh
script_tests += %D%/test_smallest_program.sh
script_tests += %D%/test_tsan_control.sh

# What processes have that fork.
fork_world =
fork_world += %D%/fork_world.c
fork_world += %D%/fork_world.h

# The parts of the example that can be tried alone.
kvserver_parts =
kvserver_parts += examples/kvserver/glob.c
kvserver_parts += examples/kvserver/hash.c
kvserver_parts += examples/kvserver/list.c
kvserver_parts += examples/kvserver/map.c
kvserver_parts += examples/kvserver/number.c
kvserver_parts += examples/kvserver/order.c
kvserver_parts += examples/kvserver/trie.c
kvserver_parts += examples/kvserver/value.c
tests_test_kvserver_map_SOURCES = %D%/test_kvserver_map.c $(kvserver_parts)
tests_test_kvserver_values_SOURCES = %D%/test_kvserver_values.c $(kvserver_parts)

tests_test_fork_SOURCES = %D%/test_fork.c $(fork_world)
tests_test_fork_children_SOURCES = %D%/test_fork_children.c $(fork_world)

# Programs that scripts run.
script_programs =
script_programs += %D%/gdb_program
script_programs += %D%/inject/inject
script_programs += %D%/known_faults
script_programs += %D%/tsan_control
# As a user links, and without a wrapper script that gdb would have to run.
tests_gdb_program_LDADD = libtricolor.la
tests_gdb_program_LDFLAGS = -no-install
tests_known_faults_LDADD =

# Each call of the library's that may fail goes through the program first; see inject/wrap.c.
tests_inject_inject_SOURCES =
tests_inject_inject_SOURCES += %D%/inject/inject.h
tests_inject_inject_SOURCES += %D%/inject/main.c
tests_inject_inject_SOURCES += %D%/inject/scenarios.c
tests_inject_inject_SOURCES += %D%/inject/scenarios.h
tests_inject_inject_SOURCES += %D%/inject/scenarios_memory.c
tests_inject_inject_SOURCES += %D%/inject/wrap.c
tests_inject_inject_LDADD = libtricolor_internal.la
tests_inject_inject_LDFLAGS = -no-install
tests_inject_inject_LDFLAGS += -Wl,--wrap=__cxa_atexit
tests_inject_inject_LDFLAGS += -Wl,--wrap=__cxa_thread_atexit_impl
tests_inject_inject_LDFLAGS += -Wl,--wrap=__gcov_dump
tests_inject_inject_LDFLAGS += -Wl,--wrap=__getdelim
tests_inject_inject_LDFLAGS += -Wl,--wrap=__isoc23_fscanf
tests_inject_inject_LDFLAGS += -Wl,--wrap=__isoc99_fscanf
tests_inject_inject_LDFLAGS += -Wl,--wrap=__register_atfork
tests_inject_inject_LDFLAGS += -Wl,--wrap=aligned_alloc
tests_inject_inject_LDFLAGS += -Wl,--wrap=calloc
tests_inject_inject_LDFLAGS += -Wl,--wrap=clock_gettime
tests_inject_inject_LDFLAGS += -Wl,--wrap=dlinfo
tests_inject_inject_LDFLAGS += -Wl,--wrap=dlopen
tests_inject_inject_LDFLAGS += -Wl,--wrap=fopen
tests_inject_inject_LDFLAGS += -Wl,--wrap=free
tests_inject_inject_LDFLAGS += -Wl,--wrap=getline
tests_inject_inject_LDFLAGS += -Wl,--wrap=madvise
tests_inject_inject_LDFLAGS += -Wl,--wrap=malloc
tests_inject_inject_LDFLAGS += -Wl,--wrap=mmap
tests_inject_inject_LDFLAGS += -Wl,--wrap=mprotect
tests_inject_inject_LDFLAGS += -Wl,--wrap=munmap
tests_inject_inject_LDFLAGS += -Wl,--wrap=process_vm_readv
tests_inject_inject_LDFLAGS += -Wl,--wrap=pthread_attr_getstack
tests_inject_inject_LDFLAGS += -Wl,--wrap=pthread_create
tests_inject_inject_LDFLAGS += -Wl,--wrap=pthread_getattr_np
tests_inject_inject_LDFLAGS += -Wl,--wrap=pthread_key_create
tests_inject_inject_LDFLAGS += -Wl,--wrap=pthread_mutex_init
tests_inject_inject_LDFLAGS += -Wl,--wrap=pthread_mutex_trylock
tests_inject_inject_LDFLAGS += -Wl,--wrap=pthread_setname_np
tests_inject_inject_LDFLAGS += -Wl,--wrap=pthread_setspecific
tests_inject_inject_LDFLAGS += -Wl,--wrap=sched_getaffinity
tests_inject_inject_LDFLAGS += -Wl,--wrap=sigaction
tests_inject_inject_LDFLAGS += -Wl,--wrap=syscall
tests_inject_inject_LDFLAGS += -Wl,--wrap=sysconf

EXTRA_DIST += $(long_script_tests)
EXTRA_DIST += $(script_tests)
EXTRA_DIST += $(source_tests)
EXTRA_DIST += %D%/.clang-tidy
EXTRA_DIST += %D%/bare_heap.h
EXTRA_DIST += %D%/bare_hooks.h
EXTRA_DIST += %D%/bulk_subjects.h
EXTRA_DIST += %D%/cache_subjects.h
EXTRA_DIST += %D%/capture.h
EXTRA_DIST += %D%/collected.h
EXTRA_DIST += %D%/coverage.h
EXTRA_DIST += %D%/cxx_program.cc
EXTRA_DIST += %D%/dumped_types.h
EXTRA_DIST += %D%/hot.h
EXTRA_DIST += %D%/kvserver.session
EXTRA_DIST += %D%/leaks.c
EXTRA_DIST += %D%/laid_out.h
EXTRA_DIST += %D%/layouts.h
EXTRA_DIST += %D%/modules/held.c
EXTRA_DIST += %D%/modules/host.c
EXTRA_DIST += %D%/modules/item.h
EXTRA_DIST += %D%/modules/locking.c
EXTRA_DIST += %D%/modules/module.h
EXTRA_DIST += %D%/modules/roots.c
EXTRA_DIST += %D%/modules/stranger.c
EXTRA_DIST += %D%/modules/types.c
EXTRA_DIST += %D%/modules/user.c
EXTRA_DIST += %D%/modules/early.c
EXTRA_DIST += %D%/modules/early.h
EXTRA_DIST += %D%/modules/early_host.c
EXTRA_DIST += %D%/modules/slow.c
EXTRA_DIST += %D%/modules/waiting.c
EXTRA_DIST += %D%/sections/functions.c
EXTRA_DIST += %D%/sections/main.c
EXTRA_DIST += %D%/mutate_collector
EXTRA_DIST += %D%/mutate_iterator
EXTRA_DIST += %D%/mutate_signals
EXTRA_DIST += %D%/mutation.py
EXTRA_DIST += %D%/naive_gc_program.h
EXTRA_DIST += %D%/pages.h
EXTRA_DIST += %D%/coroutine.h
EXTRA_DIST += %D%/forked.h
EXTRA_DIST += %D%/full_heap.h
EXTRA_DIST += %D%/limited.h
EXTRA_DIST += %D%/lives.h
EXTRA_DIST += %D%/node_list.h
EXTRA_DIST += %D%/phase.h
EXTRA_DIST += %D%/program_layouts.h
EXTRA_DIST += %D%/random.h
EXTRA_DIST += %D%/rooted.h
EXTRA_DIST += %D%/run_suite.h
EXTRA_DIST += %D%/sanitized.h
EXTRA_DIST += %D%/smallest_program.c
EXTRA_DIST += %D%/spinner.h
EXTRA_DIST += %D%/suite.h
EXTRA_DIST += %D%/task.h
EXTRA_DIST += %D%/threads.h
EXTRA_DIST += %D%/tsan.supp
EXTRA_DIST += %D%/type_fields.h
EXTRA_DIST += %D%/type_shapes.h
EXTRA_DIST += %D%/verified.h
EXTRA_DIST += %D%/warnings.c

# Programs that must not compile.
EXTRA_DIST += %D%/compile_fail/fixed_member_is_int.c
EXTRA_DIST += %D%/compile_fail/leaf_is_overaligned.c
EXTRA_DIST += %D%/compile_fail/member_is_int.c
EXTRA_DIST += %D%/compile_fail/member_is_misaligned.c
EXTRA_DIST += %D%/compile_fail/member_is_unknown.c
EXTRA_DIST += %D%/compile_fail/members_are_missing.c
EXTRA_DIST += %D%/compile_fail/size_is_odd.c
EXTRA_DIST += %D%/compile_fail/tail_begins_in_padding.c
EXTRA_DIST += %D%/compile_fail/tail_has_a_length.c
EXTRA_DIST += %D%/compile_fail/tail_is_not_last.c
EXTRA_DIST += %D%/compile_fail/tail_is_of_others.c
EXTRA_DIST += %D%/compile_fail/tail_is_of_structs.c
EXTRA_DIST += %D%/compile_fail/too_many_members.c
EXTRA_DIST += %D%/compile_fail/type_is_overaligned.c
EXTRA_DIST += %D%/compile_fail/type_is_packed.c

if HAVE_CHECK
check_PROGRAMS += $(long_unit_tests) $(unit_tests) $(script_programs)
check_PROGRAMS += $(long_one_thread_tests) $(one_thread_tests)
TESTS += $(long_script_tests) $(long_one_thread_tests) $(long_unit_tests) $(fault_tests) $(unit_tests)
TESTS += $(one_thread_tests) $(script_tests) $(source_tests)
else
check-local:
	@echo "make check is disabled: install Debian package check, then run configure again" >&2; exit 1
endif

# All but what takes long; scripts/test says what for.
check-short:
	@$(MAKE) $(AM_MAKEFLAGS) check TESTS='$(fault_tests) $(unit_tests) $(one_thread_tests) $(script_tests) $(source_tests)'
.PHONY: check-short

TEST_EXTENSIONS = .sh
SH_LOG_COMPILER = $(SHELL)

# A sanitizer slows a test down: Check waits longer for it. What the user has set comes last and wins.
AM_TESTS_ENVIRONMENT = \
	CC='$(CC)'; CXX='$(CXX)'; MAKE='$(MAKE)'; NM='$(NM)'; PKG_CONFIG='$(PKG_CONFIG)'; \
	TRI_SRCDIR='$(abs_top_srcdir)'; TRI_BUILDDIR='$(abs_top_builddir)'; \
	TRI_LIBDIR='$(libdir)'; TRI_PKGCONFIGDIR='$(pkgconfigdir)'; \
	TRI_HEADERS='$(include_HEADERS) $(tricolorinclude_HEADERS)'; \
	TRI_SANITIZERS='$(sanitizers)'; \
	case '$(CFLAGS)' in *--coverage*) TRI_COVERAGE=yes ;; *) TRI_COVERAGE= ;; esac; \
	export CC CXX MAKE NM PKG_CONFIG; \
	export TRI_SRCDIR TRI_BUILDDIR TRI_LIBDIR TRI_PKGCONFIGDIR TRI_HEADERS TRI_SANITIZERS; \
	export TRI_COVERAGE;
if ENABLE_SANITIZER
AM_TESTS_ENVIRONMENT += \
	CK_TIMEOUT_MULTIPLIER="$${CK_TIMEOUT_MULTIPLIER:-10}"; \
	ASAN_OPTIONS="allocator_may_return_null=1:$$ASAN_OPTIONS"; \
	TSAN_OPTIONS="allocator_may_return_null=1:atexit_sleep_ms=0:suppressions=$(abs_top_srcdir)/%D%/tsan.supp:$$TSAN_OPTIONS"; \
	UBSAN_OPTIONS="print_stacktrace=1:$$UBSAN_OPTIONS"; \
	export CK_TIMEOUT_MULTIPLIER ASAN_OPTIONS TSAN_OPTIONS UBSAN_OPTIONS;
endif
