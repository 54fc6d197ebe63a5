/* SPDX-License-Identifier: MIT */
/* Byte queues for sockets. They are malloc'd and not heap objects because their life has one owner
 * and one end. */
#include "buffer.h"

#include <stdlib.h>
#include <string.h>

#define CAPACITY_MIN ((size_t)16 << 10)
#define CAPACITY_KEPT ((size_t)256 << 10) /* an empty buffer larger than this is given back */

/* At least twice the old capacity, so that a long argument is moved once a doubling. */
static bool grow(struct kv_buffer *buffer, size_t needed)
{
    size_t capacity = buffer->capacity != 0 ? buffer->capacity : CAPACITY_MIN;
    char *data;

    while (capacity < needed)
        capacity *= 2;
    data = realloc(buffer->data, capacity);
    if (data == NULL)
        return false;
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

bool kv_buffer_reserve(struct kv_buffer *buffer, size_t n)
{
    size_t used = kv_buffer_used(buffer);

    if (buffer->data != NULL && buffer->capacity - buffer->end >= n)
        return true;
    if (buffer->start != 0) {
        memmove(buffer->data, buffer->data + buffer->start, used);
        buffer->start = 0;
        buffer->end = used;
    }
    if (buffer->data != NULL && buffer->capacity - used >= n)
        return true;
    return grow(buffer, used + n);
}

bool kv_buffer_append(struct kv_buffer *buffer, const void *bytes, size_t n)
{
    if (!kv_buffer_reserve(buffer, n))
        return false;
    if (n != 0)
        memcpy(buffer->data + buffer->end, bytes, n);
    buffer->end += n;
    return true;
}

void kv_buffer_consume(struct kv_buffer *buffer, size_t n)
{
    buffer->start += n;
    if (buffer->start != buffer->end)
        return;
    buffer->start = buffer->end = 0;
    if (buffer->capacity > CAPACITY_KEPT)
        kv_buffer_free(buffer);
}

void kv_buffer_free(struct kv_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct kv_buffer){0};
}
