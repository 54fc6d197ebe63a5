# SPDX-License-Identifier: MIT
# Commands for people and for continuous integration. One file a line.

EXTRA_DIST += .ci/run
EXTRA_DIST += %D%/check-includes
EXTRA_DIST += %D%/coverage
EXTRA_DIST += .clang-tidy
EXTRA_DIST += %D%/cppcheck.suppressions
EXTRA_DIST += %D%/demo
EXTRA_DIST += %D%/gcovr.cfg
EXTRA_DIST += %D%/gen-size-classes
EXTRA_DIST += %D%/install-deps
EXTRA_DIST += %D%/lint
EXTRA_DIST += %D%/test

# Lines and branches of runtime/ and barrier/ that the tests run, in a build of its own.
coverage:
	@COVERAGE_DIR='$(abs_top_builddir)/coverage' CC='$(CC)' CXX='$(CXX)' $(srcdir)/%D%/coverage
.PHONY: coverage

# Not a part of make check: it needs clang-tidy and cppcheck.
lint:
	@cd $(srcdir) && %D%/lint
.PHONY: lint
