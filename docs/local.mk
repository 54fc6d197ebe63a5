# SPDX-License-Identifier: MIT
# Documents, installed into docdir, and the models. One file a line.

dist_doc_DATA += README.md
dist_doc_DATA += %D%/architecture.md
dist_doc_DATA += %D%/chaos.md
dist_doc_DATA += %D%/debugging.md
dist_doc_DATA += %D%/glossary.md
dist_doc_DATA += %D%/handoff.md
dist_doc_DATA += %D%/invariants.md
dist_doc_DATA += %D%/lock-order.md
dist_doc_DATA += %D%/memory-order.md
dist_doc_DATA += %D%/mutation.md
dist_doc_DATA += %D%/performance.md
dist_doc_DATA += %D%/stress.md
dist_doc_DATA += %D%/testing.md
dist_doc_DATA += %D%/threads.md
dist_doc_DATA += %D%/verify-barrier.md
dist_doc_DATA += %D%/verify-blocking.md
dist_doc_DATA += %D%/verify-clobber.md
dist_doc_DATA += %D%/verify-layout.md
dist_doc_DATA += %D%/verify.md

EXTRA_DIST += %D%/model/README.md
EXTRA_DIST += %D%/model/check.sh
EXTRA_DIST += %D%/model/cycle.pml
EXTRA_DIST += %D%/model/fork.pml
EXTRA_DIST += %D%/model/handshake.pml
EXTRA_DIST += %D%/model/life.pml
EXTRA_DIST += %D%/model/signal.pml
EXTRA_DIST += %D%/model/sweep.pml

# The protocol holds in the models, and no mutant of it does.
check-model:
	@CC='$(CC)' $(SHELL) $(srcdir)/%D%/model/check.sh
.PHONY: check-model
