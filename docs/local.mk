# SPDX-License-Identifier: MIT
# Documents, installed into docdir. One file a line.

#dist_doc_DATA += %D%/name.md
