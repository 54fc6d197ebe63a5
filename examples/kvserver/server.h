/* SPDX-License-Identifier: MIT */
/* The server: one listening socket, worker threads that share its connections. */
#ifndef KV_SERVER_H
#define KV_SERVER_H

#include <stdint.h>

struct kv_server_options {
    const char *address; /* name or number; "" for all */
    const char *port;    /* "0": one that is free */
    unsigned threads;
};

/* Opens the socket and starts the workers. 0, or -1 with a message on standard error and nothing
 * left behind. */
int kv_server_start(const struct kv_server_options *options);

/* Accepts connections until `signals`, a signalfd, becomes readable. */
void kv_server_run(int signals);

/* Closes all connections and ends the workers. */
void kv_server_stop(void);

struct kv_server_counts {
    unsigned port, threads;
    uint64_t uptime;      /* seconds */
    uint64_t clients;     /* connected now */
    uint64_t connections; /* ever */
    uint64_t requests;    /* ever */
};

/* Any thread. */
struct kv_server_counts kv_server_counts(void);

#endif
