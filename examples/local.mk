# SPDX-License-Identifier: MIT
# Example programs, linked as a user would link them.

# kvserver: an in-memory store that speaks the Redis protocol.
noinst_PROGRAMS += %D%/kvserver/kvserver
examples_kvserver_kvserver_LDADD = libtricolor.la
examples_kvserver_kvserver_SOURCES =
examples_kvserver_kvserver_SOURCES += %D%/kvserver/buffer.c
examples_kvserver_kvserver_SOURCES += %D%/kvserver/buffer.h
examples_kvserver_kvserver_SOURCES += %D%/kvserver/client.c
examples_kvserver_kvserver_SOURCES += %D%/kvserver/client.h
examples_kvserver_kvserver_SOURCES += %D%/kvserver/cmd_hash.c
examples_kvserver_kvserver_SOURCES += %D%/kvserver/cmd_key.c
examples_kvserver_kvserver_SOURCES += %D%/kvserver/cmd_list.c
examples_kvserver_kvserver_SOURCES += %D%/kvserver/cmd_server.c
examples_kvserver_kvserver_SOURCES += %D%/kvserver/cmd_set.c
examples_kvserver_kvserver_SOURCES += %D%/kvserver/cmd_string.c
examples_kvserver_kvserver_SOURCES += %D%/kvserver/cmd_zset.c
examples_kvserver_kvserver_SOURCES += %D%/kvserver/command.c
examples_kvserver_kvserver_SOURCES += %D%/kvserver/command.h
examples_kvserver_kvserver_SOURCES += %D%/kvserver/glob.c
examples_kvserver_kvserver_SOURCES += %D%/kvserver/glob.h
examples_kvserver_kvserver_SOURCES += %D%/kvserver/hash.c
examples_kvserver_kvserver_SOURCES += %D%/kvserver/hash.h
examples_kvserver_kvserver_SOURCES += %D%/kvserver/info.c
examples_kvserver_kvserver_SOURCES += %D%/kvserver/keyspace.c
examples_kvserver_kvserver_SOURCES += %D%/kvserver/keyspace.h
examples_kvserver_kvserver_SOURCES += %D%/kvserver/list.c
examples_kvserver_kvserver_SOURCES += %D%/kvserver/list.h
examples_kvserver_kvserver_SOURCES += %D%/kvserver/main.c
examples_kvserver_kvserver_SOURCES += %D%/kvserver/map.c
examples_kvserver_kvserver_SOURCES += %D%/kvserver/map.h
examples_kvserver_kvserver_SOURCES += %D%/kvserver/members.c
examples_kvserver_kvserver_SOURCES += %D%/kvserver/members.h
examples_kvserver_kvserver_SOURCES += %D%/kvserver/number.c
examples_kvserver_kvserver_SOURCES += %D%/kvserver/number.h
examples_kvserver_kvserver_SOURCES += %D%/kvserver/order.c
examples_kvserver_kvserver_SOURCES += %D%/kvserver/order.h
examples_kvserver_kvserver_SOURCES += %D%/kvserver/reply.c
examples_kvserver_kvserver_SOURCES += %D%/kvserver/reply.h
examples_kvserver_kvserver_SOURCES += %D%/kvserver/request.c
examples_kvserver_kvserver_SOURCES += %D%/kvserver/request.h
examples_kvserver_kvserver_SOURCES += %D%/kvserver/server.c
examples_kvserver_kvserver_SOURCES += %D%/kvserver/server.h
examples_kvserver_kvserver_SOURCES += %D%/kvserver/trie.c
examples_kvserver_kvserver_SOURCES += %D%/kvserver/trie.h
examples_kvserver_kvserver_SOURCES += %D%/kvserver/value.c
examples_kvserver_kvserver_SOURCES += %D%/kvserver/value.h

EXTRA_DIST += %D%/kvserver/README.md
