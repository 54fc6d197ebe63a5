/* SPDX-License-Identifier: MIT */
/* Strings and names. */
#include "value.h"

#include <string.h>

#include "hash.h"
#include "number.h"

TRI_LEAF_TYPE(kv_byte);

/* Leaf memory: the collector marks a string but never reads it. */
static kv_string *string_alloc(size_t length)
{
    kv_string *string = tri_alloc_bytes(sizeof(kv_string) + length);

    if (string == NULL)
        return NULL;
    string->head.kind = KV_STRING;
    string->length = (uint32_t)length;
    return string;
}

kv_string *kv_string_join(struct kv_slice first, struct kv_slice second)
{
    kv_string *string = string_alloc(first.length + second.length);

    if (string == NULL)
        return NULL;
    if (first.length != 0)
        memcpy(string->data, first.data, first.length);
    if (second.length != 0)
        memcpy(string->data + first.length, second.data, second.length);
    return string;
}

kv_string *kv_string_new(struct kv_slice data)
{
    return kv_string_join(data, (struct kv_slice){NULL, 0});
}

kv_string *kv_string_from_integer(int64_t number)
{
    char digits[KV_INTEGER_MAX];
    size_t length = kv_integer_format(number, digits);

    return kv_string_new((struct kv_slice){digits, length});
}

struct kv_name kv_name_of(struct kv_slice bytes)
{
    return (struct kv_name){
        .data = bytes.data,
        .length = (uint32_t)bytes.length,
        .hash = (uint32_t)kv_hash(bytes.data, bytes.length),
    };
}

bool kv_name_equal(struct kv_name name, const char *data, uint32_t length, uint32_t hash)
{
    return name.hash == hash && name.length == length && memcmp(name.data, data, length) == 0;
}

const char *kv_kind_name(const kv_value *value)
{
    static const char *const names[] = {
        [KV_STRING] = "string", [KV_LIST] = "list", [KV_HASH] = "hash",
        [KV_SET] = "set",       [KV_ZSET] = "zset",
    };

    return names[value->kind];
}
