# SPDX-License-Identifier: MIT
# Fuzzing: see README.md here. Each `%D%/fuzz_subject` is built from `%D%/fuzz_subject.c`, which has
# one function. With --enable-fuzz its main is libFuzzer's; otherwise it is replay.c, and make check
# runs the inputs in corpus/.

fuzz_programs =
fuzz_programs += %D%/fuzz_gc_program
fuzz_programs += %D%/fuzz_ranges
fuzz_programs += %D%/fuzz_type_desc

fuzz_fuzz_gc_program_SOURCES = %D%/fuzz_gc_program.c $(fuzz_main)
fuzz_fuzz_ranges_SOURCES = %D%/fuzz_ranges.c $(fuzz_main)
fuzz_fuzz_type_desc_SOURCES = %D%/fuzz_type_desc.c $(fuzz_main)

if ENABLE_FUZZ
fuzz_main = %D%/fuzz.h
fuzz_fuzz_gc_program_LDFLAGS = -fsanitize=fuzzer
fuzz_fuzz_ranges_LDFLAGS = -fsanitize=fuzzer
fuzz_fuzz_type_desc_LDFLAGS = -fsanitize=fuzzer
noinst_PROGRAMS += $(fuzz_programs)
else
fuzz_main = %D%/fuzz.h %D%/replay.c
if HAVE_CHECK
check_PROGRAMS += $(fuzz_programs)
TESTS += $(fuzz_programs)
endif
endif

docfuzzdir = $(docdir)/fuzz
dist_docfuzz_DATA = %D%/README.md
EXTRA_DIST += %D%/corpus
EXTRA_DIST += %D%/run.sh
EXTRA_DIST += %D%/uncovered.txt

# make fuzz FUZZ_SECONDS=60: each harness for so long, in a build with --enable-fuzz; what it finds
# lands in the build folder.
FUZZ_SECONDS = 60
fuzz: $(fuzz_programs)
	@TRI_SRCDIR='$(abs_top_srcdir)' $(SHELL) $(srcdir)/%D%/run.sh $(FUZZ_SECONDS) $(fuzz_programs)
.PHONY: fuzz
