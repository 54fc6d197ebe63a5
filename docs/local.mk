# SPDX-License-Identifier: MIT
# Documents, installed into docdir. One file a line.

dist_doc_DATA += %D%/glossary.md
dist_doc_DATA += %D%/lock-order.md
