# SPDX-License-Identifier: MIT
# Documents, and the models. Installed as they lie here, below docdir, so that their links lead
# somewhere there, too; tests/test_doc_links.sh. One file a line.

dist_doc_DATA += README.md

docpagesdir = $(docdir)/docs
dist_docpages_DATA =
dist_docpages_DATA += %D%/architecture.md
dist_docpages_DATA += %D%/chaos.md
dist_docpages_DATA += %D%/debugging.md
dist_docpages_DATA += %D%/glossary.md
dist_docpages_DATA += %D%/handoff.md
dist_docpages_DATA += %D%/invariants.md
dist_docpages_DATA += %D%/lock-order.md
dist_docpages_DATA += %D%/memory-order.md
dist_docpages_DATA += %D%/mutation.md
dist_docpages_DATA += %D%/performance.md
dist_docpages_DATA += %D%/stress.md
dist_docpages_DATA += %D%/testing.md
dist_docpages_DATA += %D%/threads.md
dist_docpages_DATA += %D%/verify-barrier.md
dist_docpages_DATA += %D%/verify-blocking.md
dist_docpages_DATA += %D%/verify-clobber.md
dist_docpages_DATA += %D%/verify-layout.md
dist_docpages_DATA += %D%/verify.md

docmodeldir = $(docpagesdir)/model
dist_docmodel_DATA = %D%/model/README.md

EXTRA_DIST += %D%/model/check.sh
EXTRA_DIST += %D%/model/cycle.pml
EXTRA_DIST += %D%/model/fork.pml
EXTRA_DIST += %D%/model/handshake.pml
EXTRA_DIST += %D%/model/life.pml
EXTRA_DIST += %D%/model/signal.pml
EXTRA_DIST += %D%/model/sweep.pml
EXTRA_DIST += %D%/model/work.pml

# The protocol holds in the models, and no mutant of it does.
check-model:
	@CC='$(CC)' $(SHELL) $(srcdir)/%D%/model/check.sh
.PHONY: check-model
