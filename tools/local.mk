# SPDX-License-Identifier: MIT
# Generators and other tools for those who work on tricolor, or with it.

# Installed into pkgdatadir; docs/debugging.md says how gdb and Valgrind get them.
dist_pkgdata_DATA =
dist_pkgdata_DATA += %D%/tricolor-gdb.py
dist_pkgdata_DATA += %D%/tricolor.supp

#EXTRA_DIST += %D%/name
