# SPDX-License-Identifier: MIT
# Commands for people and for continuous integration. One file a line.

EXTRA_DIST += .ci/run
EXTRA_DIST += %D%/demo
EXTRA_DIST += %D%/gen-size-classes
EXTRA_DIST += %D%/install-deps
EXTRA_DIST += %D%/test
