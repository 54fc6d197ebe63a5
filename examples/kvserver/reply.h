/* SPDX-License-Identifier: MIT */
/* Replies in RESP2. None of these fails: a client whose reply finds no memory is closed instead of
 * getting half of it. */
#ifndef KV_REPLY_H
#define KV_REPLY_H

#include "client.h"

/* "+text" */
void kv_reply_status(struct kv_client *client, const char *text);
static inline void kv_reply_ok(struct kv_client *client)
{
    kv_reply_status(client, "OK");
}

/* "-text"; control characters, which may come from the client's own arguments, become blanks. */
void kv_reply_error(struct kv_client *client, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The errors that many commands share. */
void kv_reply_wrong_type(struct kv_client *client);
void kv_reply_no_memory(struct kv_client *client);
void kv_reply_not_integer(struct kv_client *client);
void kv_reply_syntax_error(struct kv_client *client);
void kv_reply_wrong_arity(struct kv_client *client);

void kv_reply_integer(struct kv_client *client, int64_t number);
void kv_reply_double(struct kv_client *client, double number); /* as a bulk string */
void kv_reply_bulk(struct kv_client *client, struct kv_slice bytes);
void kv_reply_text(struct kv_client *client, const char *text); /* a bulk string */
void kv_reply_null(struct kv_client *client);

/* A string value, or null. */
void kv_reply_string(struct kv_client *client, const kv_string *string);

/* The head of an array, which the next n replies fill. */
void kv_reply_array(struct kv_client *client, uint64_t n);
void kv_reply_null_array(struct kv_client *client);

/* Where the next reply will be, for what has to stand before replies but is known only after them,
 * such as an array's length: everything from `from` on is moved to `mark`. */
size_t kv_reply_mark(const struct kv_client *client);
void kv_reply_to_front(struct kv_client *client, size_t mark, size_t from);

#endif
