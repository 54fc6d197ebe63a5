# SPDX-License-Identifier: MIT
# The lowest floor: atomics, the operating system, errors, doors to other libraries.
# One file a line.

libtricolor_internal_la_SOURCES += %D%/atomic.h
libtricolor_internal_la_SOURCES += %D%/chaos.c
libtricolor_internal_la_SOURCES += %D%/chaos.h
libtricolor_internal_la_SOURCES += %D%/ck_shim.h
libtricolor_internal_la_SOURCES += %D%/config.c
libtricolor_internal_la_SOURCES += %D%/config.h
libtricolor_internal_la_SOURCES += %D%/entry.h
libtricolor_internal_la_SOURCES += %D%/fatal.c
libtricolor_internal_la_SOURCES += %D%/fatal.h
libtricolor_internal_la_SOURCES += %D%/fault.c
libtricolor_internal_la_SOURCES += %D%/fault.h
libtricolor_internal_la_SOURCES += %D%/futex.h
libtricolor_internal_la_SOURCES += %D%/histogram.h
libtricolor_internal_la_SOURCES += %D%/module.c
libtricolor_internal_la_SOURCES += %D%/module.h
libtricolor_internal_la_SOURCES += %D%/os.h
libtricolor_internal_la_SOURCES += %D%/os_linux.c
libtricolor_internal_la_SOURCES += %D%/pool.c
libtricolor_internal_la_SOURCES += %D%/pool.h
libtricolor_internal_la_SOURCES += %D%/print.c
libtricolor_internal_la_SOURCES += %D%/print.h
libtricolor_internal_la_SOURCES += %D%/rcu_shim.c
libtricolor_internal_la_SOURCES += %D%/rcu_shim.h
libtricolor_internal_la_SOURCES += %D%/tsan.h

# CK synchronizes in inline assembly, which TSan cannot see, and counts in a pointer that begins as
# NULL, which UBSan resents. Its one user is compiled without sanitizers, as a compiled libck would
# be, and ck_shim.h tells TSan what happened by annotations.
libtricolor_uninstrumented_la_SOURCES += %D%/ck_shim.c
libtricolor_internal_la_SOURCES += %D%/cgroup.c
libtricolor_internal_la_SOURCES += %D%/cgroup.h
