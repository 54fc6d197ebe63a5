# SPDX-License-Identifier: MIT
# Threads, handshakes, stacks and roots. One file a line.
libtricolor_internal_la_SOURCES += %D%/arena.c
libtricolor_internal_la_SOURCES += %D%/arena.h
libtricolor_internal_la_SOURCES += %D%/attach.c
libtricolor_internal_la_SOURCES += %D%/attach.h
libtricolor_internal_la_SOURCES += %D%/blocking.c
libtricolor_internal_la_SOURCES += %D%/handles.c
libtricolor_internal_la_SOURCES += %D%/handshake.c
libtricolor_internal_la_SOURCES += %D%/handshake.h
libtricolor_internal_la_SOURCES += %D%/mutator.h
libtricolor_internal_la_SOURCES += %D%/registers.h
libtricolor_internal_la_SOURCES += %D%/registry.c
libtricolor_internal_la_SOURCES += %D%/registry.h
libtricolor_internal_la_SOURCES += %D%/roots.c
libtricolor_internal_la_SOURCES += %D%/roots.h
libtricolor_internal_la_SOURCES += %D%/stack.c
libtricolor_internal_la_SOURCES += %D%/stack.h
