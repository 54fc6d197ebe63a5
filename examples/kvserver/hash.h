/* SPDX-License-Identifier: MIT */
/* The hash of keys, fields and members: SipHash-1-3 under a key drawn at start.
 *
 * Clients choose the keys, so an unkeyed or weakly keyed hash (which most fast ones are) would let
 * one client send thousands of keys that collide and turn every lookup into a walk. SipHash is made
 * against that, costs some 20 ns for a short key, and is too short to be worth a dependency. */
#ifndef KV_HASH_H
#define KV_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Draws the key. Before any other thread runs; 0, or -errno. */
int kv_hash_init(void);

uint64_t kv_hash(const void *data, size_t length);

/* A random number below `bound`, which is not 0. Any thread. */
uint32_t kv_random(uint32_t bound);

#endif
