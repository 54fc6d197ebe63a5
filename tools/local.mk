# SPDX-License-Identifier: MIT
# Generators and other tools for those who work on tricolor, or with it.

# Installed into pkgdatadir; docs/debugging.md says how gdb gets it.
dist_pkgdata_DATA = %D%/tricolor-gdb.py

#EXTRA_DIST += %D%/name
