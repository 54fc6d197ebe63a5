/* SPDX-License-Identifier: MIT */
/* A growing queue of bytes in malloc'd memory: appended at the end, consumed at the start. */
#ifndef KV_BUFFER_H
#define KV_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

struct kv_buffer {
    char *data;
    size_t start, end; /* the bytes in use */
    size_t capacity;
};

static inline size_t kv_buffer_used(const struct kv_buffer *buffer)
{
    return buffer->end - buffer->start;
}

/* Makes room for n more bytes at the end, which moves the bytes in use. false: out of memory, and
 * nothing changed. */
bool kv_buffer_reserve(struct kv_buffer *buffer, size_t n);

bool kv_buffer_append(struct kv_buffer *buffer, const void *bytes, size_t n);

/* Takes n bytes off the start. */
void kv_buffer_consume(struct kv_buffer *buffer, size_t n);

void kv_buffer_free(struct kv_buffer *buffer);

#endif
