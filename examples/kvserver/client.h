/* SPDX-License-Identifier: MIT */
/* A connection: its buffers, the request that is arriving, and the state commands keep for it. */
#ifndef KV_CLIENT_H
#define KV_CLIENT_H

#include "buffer.h"
#include "request.h"
#include "value.h"

struct kv_command;

/* Belongs to one worker. malloc'd: so it holds no heap pointers. */
struct kv_client {
    struct kv_client *next, *previous; /* in the worker's list */
    int fd;
    unsigned events; /* epoll's, as last set */
    unsigned database;
    uint64_t id;
    uint64_t *requests_run; /* atomic: the count of the worker, who alone adds to it */
    bool closing;           /* no more requests; close when the output is written */
    bool said_goodbye;      /* it is written, and the client has been told */
    bool ended;             /* the client sends no more */
    bool broken;            /* close now */
    size_t discarded;       /* bytes read while closing */
    struct kv_buffer input, output;
    struct kv_request request;
    const struct kv_command *command; /* that is running */
    char name[64];                    /* CLIENT SETNAME */
};

/* NULL: out of memory, and fd is closed. */
struct kv_client *kv_client_new(int fd, uint64_t *requests_run);

/* Closes the connection and frees the client. */
void kv_client_free(struct kv_client *client);

/* Reads what has arrived, runs the requests that are complete, and writes the replies, as far as
 * none of it waits. Afterwards the client wants the epoll events kv_client_events, or, if these are
 * 0, to be freed. */
void kv_client_serve(struct kv_client *client, bool readable);
unsigned kv_client_events(const struct kv_client *client);

/* The running command's arguments; 0 is its name. */
static inline size_t kv_argument_count(const struct kv_client *client)
{
    return client->request.count;
}

static inline struct kv_slice kv_argument(const struct kv_client *client, size_t index)
{
    const struct kv_argument *argument = &client->request.arguments[index];

    return (struct kv_slice){client->input.data + client->input.start + argument->offset,
                             argument->length};
}

/* Whether the argument is this word, given in lower case; the client may write it in any. */
bool kv_argument_is(const struct kv_client *client, size_t index, const char *word);

#endif
