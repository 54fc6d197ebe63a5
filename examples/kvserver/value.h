/* SPDX-License-Identifier: MIT */
/* What a key can hold, and the bytes that keys and strings are made of.
 *
 * A convention of this program: a type with a typedef lives in the collector's heap, a plain
 * `struct` lives on a stack or in malloc'd memory. A heap pointer is never kept in a plain struct
 * that outlives the command at hand.
 *
 * Every value is immutable once a reader can see it. A command that changes a key builds a new
 * value, which shares most of its parts with the old one, and publishes it with one
 * tri_store_release. Whoever loaded the old value keeps a consistent snapshot for as long as he
 * likes: the collector frees it after the last one let go. */
#ifndef KV_VALUE_H
#define KV_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tricolor.h>

/* Reads a heap pointer that another thread may be replacing. Partner: tri_store_release in whatever
 * publishes. */
#define kv_load(slot) __atomic_load_n((slot), __ATOMIC_ACQUIRE)

/* Bytes somewhere, usually an argument in a request buffer. */
struct kv_slice {
    const char *data;
    size_t length;
};

/* A key, field or member as the client spelled it, with its hash. */
struct kv_name {
    const char *data;
    uint32_t length;
    uint32_t hash;
};

enum kv_kind { KV_STRING, KV_LIST, KV_HASH, KV_SET, KV_ZSET };

/* The head of every value. */
typedef struct kv_value {
    uint32_t kind; /* enum kv_kind */
} kv_value;

typedef struct kv_string {
    kv_value head;
    uint32_t length;
    char data[];
} kv_string;

/* The element type of the byte arrays at the end of objects that also hold pointers. */
typedef char kv_byte;
TRI_EXTERN_TYPE(kv_byte);

/* The longest string and the longest key; also the longest argument of a command. */
#define KV_STRING_MAX (512u << 20)

/* A new string; NULL when out of memory. */
kv_string *kv_string_new(struct kv_slice data);

/* The same from two pieces. */
kv_string *kv_string_join(struct kv_slice first, struct kv_slice second);

/* The digits of `number`. */
kv_string *kv_string_from_integer(int64_t number);

static inline struct kv_slice kv_string_slice(const kv_string *string)
{
    return (struct kv_slice){string->data, string->length};
}

/* Bytes with their hash. The request parser sees to it that they are not too long. */
struct kv_name kv_name_of(struct kv_slice bytes);

bool kv_name_equal(struct kv_name name, const char *data, uint32_t length, uint32_t hash);

const char *kv_kind_name(const kv_value *value);

#endif
