/* SPDX-License-Identifier: MIT */
/* Requests: RESP arrays of bulk strings, and inline commands as one types them into telnet. */
#ifndef KV_REQUEST_H
#define KV_REQUEST_H

#include "buffer.h"
#include "value.h"

#define KV_ARGUMENTS_MAX (1u << 20)

/* Where an argument lies, from the beginning of the request: the buffer may move while the rest
 * arrives. */
struct kv_argument {
    size_t offset, length;
};

/* A request that has arrived so far. Parsing stops when bytes are missing and goes on where it
 * stopped. All zero: a new one. */
struct kv_request {
    size_t parsed; /* bytes from the beginning of the request */
    size_t count;  /* arguments complete */
    size_t capacity;
    struct kv_argument *arguments;
    uint32_t missing;    /* arguments still to come */
    int64_t bulk_length; /* of the argument that is arriving, while has_length */
    bool has_length;
    const char *error; /* for the client */
};

enum kv_progress {
    KV_INCOMPLETE, /* needs more bytes */
    KV_COMPLETE,   /* arguments are there; none: nothing to do */
    KV_MALFORMED,  /* `error` says why; there is no way to go on */
};

enum kv_progress kv_request_parse(struct kv_request *request, struct kv_buffer *buffer);

/* Takes a complete request off the buffer. */
void kv_request_consume(struct kv_request *request, struct kv_buffer *buffer);

void kv_request_free(struct kv_request *request);

#endif
