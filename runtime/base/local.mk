# SPDX-License-Identifier: MIT
# The lowest floor: atomics, the operating system, errors, doors to other libraries. One file a line.

libtricolor_internal_la_SOURCES += %D%/atomic.h

# CK synchronizes in inline assembly, which TSan cannot see. Its one user is compiled without TSan, as
# a compiled libck would be, and tells TSan what happened by annotations.
#libtricolor_uninstrumented_la_SOURCES += %D%/ck_shim.c
