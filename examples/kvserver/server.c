/* SPDX-License-Identifier: MIT */
/* The threads: the main one accepts and deals the connections out, each worker serves its own with
 * an epoll.
 *
 * A worker that waits in epoll_wait does so inside TRI_BLOCKING: the collector needs nothing from
 * it meanwhile, however long that is. Sockets never block, so everything else a worker does is
 * running, with a safepoint a request.
 *
 * Accepting in one thread (and not by SO_REUSEPORT) spreads connections evenly, and a second server
 * on the port is refused.
 *
 * Owns: the listening socket and the workers. Locks: none; a pipe leads from the main thread to
 * each worker: it carries new connections, and its end tells the worker to stop. */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "keyspace.h"

#define EVENTS_AT_ONCE 64
#define TICK_MS 100 /* between two sweeps for expired keys */
#define SWEEP_MS 2  /* that one of them takes at most */

struct worker {
    _Alignas(64) pthread_t thread;
    int epoll;
    int inbox[2]; /* pipe of file descriptors: [1] for the main thread, [0] for the worker */
    bool stopping;
    struct kv_client *clients;
    uint64_t requests;     /* atomic: [worker] adds */
    uint64_t client_count; /* atomic: [worker] stores */
};

static struct {
    int listener;
    unsigned port;
    unsigned threads;
    int64_t start;
    uint64_t connections; /* atomic: [main] adds */
    struct worker *workers;
} server = {.listener = -1};

/* ---- a worker's clients ---- */

static void link_client(struct worker *worker, struct kv_client *client)
{
    client->next = worker->clients;
    if (client->next != NULL)
        client->next->previous = client;
    worker->clients = client;
    __atomic_store_n(&worker->client_count, worker->client_count + 1, __ATOMIC_RELAXED);
}

static void unlink_client(struct worker *worker, struct kv_client *client)
{
    if (client->previous != NULL)
        client->previous->next = client->next;
    else
        worker->clients = client->next;
    if (client->next != NULL)
        client->next->previous = client->previous;
    __atomic_store_n(&worker->client_count, worker->client_count - 1, __ATOMIC_RELAXED);
}

static void drop_client(struct worker *worker, struct kv_client *client)
{
    unlink_client(worker, client);
    kv_client_free(client);
}

/* Asks epoll for what the client waits for now. false: it waits for nothing, or epoll cannot have
 * it. */
static bool watch_client(struct worker *worker, struct kv_client *client, int operation)
{
    unsigned events = kv_client_events(client);
    struct epoll_event event = {.events = events, .data.ptr = client};

    if (events == 0)
        return false;
    if (operation == EPOLL_CTL_MOD && events == client->events)
        return true;
    client->events = events;
    return epoll_ctl(worker->epoll, operation, client->fd, &event) == 0;
}

static void add_client(struct worker *worker, int fd)
{
    struct kv_client *client = kv_client_new(fd, &worker->requests);

    if (client == NULL)
        return;
    link_client(worker, client);
    if (!watch_client(worker, client, EPOLL_CTL_ADD))
        drop_client(worker, client);
}

static void serve_client(struct worker *worker, struct kv_client *client, unsigned events)
{
    kv_client_serve(client, (events & ~(unsigned)EPOLLOUT) != 0);
    if (!watch_client(worker, client, EPOLL_CTL_MOD))
        drop_client(worker, client);
}

/* ---- a worker ---- */

static void read_inbox(struct worker *worker)
{
    int fds[EVENTS_AT_ONCE];
    ssize_t got = read(worker->inbox[0], fds, sizeof fds);

    worker->stopping = got == 0;
    for (ssize_t i = 0; i < got / (ssize_t)sizeof fds[0]; i++)
        add_client(worker, fds[i]);
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    struct epoll_event events[EVENTS_AT_ONCE];

    while (!worker->stopping) {
        int n = 0;

        TRI_BLOCKING {
            n = epoll_wait(worker->epoll, events, EVENTS_AT_ONCE, -1);
        }
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == NULL)
                read_inbox(worker);
            else
                serve_client(worker, events[i].data.ptr, events[i].events);
        }
    }
    while (worker->clients != NULL)
        drop_client(worker, worker->clients);
    return NULL;
}

static void close_worker(struct worker *worker)
{
    close(worker->inbox[0]);
    close(worker->epoll);
}

/* 0, or an error number with nothing left behind. */
static int open_worker(struct worker *worker)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    int error;

    if (pipe2(worker->inbox, O_CLOEXEC | O_NONBLOCK) != 0)
        return errno;
    worker->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (worker->epoll < 0 || epoll_ctl(worker->epoll, EPOLL_CTL_ADD, worker->inbox[0], &event) != 0)
        error = errno;
    else
        error = tri_thread_create(&worker->thread, NULL, worker_main, worker);
    if (error == 0)
        return 0;
    close(worker->inbox[1]);
    close_worker(worker);
    return error;
}

/* ---- starting and stopping ---- */

static int try_listen(const struct addrinfo *address)
{
    int fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Listens on the first address the name stands for. */
static int open_listener(const struct kv_server_options *options)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    const char *host = options->address[0] != '\0' ? options->address : NULL;
    struct addrinfo *addresses;
    int error = getaddrinfo(host, options->port, &hints, &addresses);

    if (error != 0) {
        fprintf(stderr, "kvserver: %s port %s: %s\n", options->address, options->port,
                gai_strerror(error));
        return -1;
    }
    server.listener = try_listen(addresses);
    if (server.listener < 0)
        fprintf(stderr, "kvserver: cannot listen on %s port %s: %s\n", options->address,
                options->port, strerror(errno));
    freeaddrinfo(addresses);
    return server.listener < 0 ? -1 : 0;
}

static unsigned listener_port(void)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    char port[NI_MAXSERV];

    if (getsockname(server.listener, (struct sockaddr *)&address, &length) != 0 ||
        getnameinfo((struct sockaddr *)&address, length, NULL, 0, port, sizeof port,
                    NI_NUMERICSERV) != 0)
        return 0;
    return (unsigned)strtoul(port, NULL, 10);
}

static int open_workers(unsigned threads)
{
    size_t bytes = threads * sizeof *server.workers;

    server.workers = aligned_alloc(_Alignof(struct worker), bytes);
    if (server.workers == NULL) {
        fprintf(stderr, "kvserver: out of memory\n");
        return -1;
    }
    memset(server.workers, 0, bytes);
    for (; server.threads < threads; server.threads++) {
        int error = open_worker(&server.workers[server.threads]);

        if (error != 0) {
            fprintf(stderr, "kvserver: cannot start a thread: %s\n", strerror(error));
            return -1;
        }
    }
    return 0;
}

int kv_server_start(const struct kv_server_options *options)
{
    server.start = kv_now();
    if (open_listener(options) != 0)
        return -1;
    server.port = listener_port();
    if (open_workers(options->threads) == 0)
        return 0;
    kv_server_stop();
    return -1;
}

/* All are told first, so that they stop side by side. */
void kv_server_stop(void)
{
    close(server.listener);
    for (unsigned i = 0; i < server.threads; i++)
        close(server.workers[i].inbox[1]);
    TRI_BLOCKING {
        for (unsigned i = 0; i < server.threads; i++)
            pthread_join(server.workers[i].thread, NULL);
    }
    for (unsigned i = 0; i < server.threads; i++)
        close_worker(&server.workers[i]);
    free(server.workers);
}

/* ---- the main thread ---- */

/* Workers take turns. A full inbox belongs to a worker that is far behind: the client may try
 * again. */
static void deal_out(int fd)
{
    struct worker *worker = &server.workers[server.connections % server.threads];
    int on = 1;

    __atomic_store_n(&server.connections, server.connections + 1, __ATOMIC_RELAXED);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (write(worker->inbox[1], &fd, sizeof fd) != sizeof fd)
        close(fd);
}

/* false: no more file descriptors or memory, so that it is no use to try again before some time has
 * passed. */
static bool accept_all(void)
{
    for (;;) {
        int fd = accept4(server.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0)
            deal_out(fd);
        else if (errno != EINTR && errno != ECONNABORTED)
            return errno == EAGAIN;
    }
}

void kv_server_run(int signals)
{
    struct pollfd fds[] = {{.fd = signals, .events = POLLIN},
                           {.fd = server.listener, .events = POLLIN}};
    bool may_accept = true;

    while ((fds[0].revents & POLLIN) == 0) {
        TRI_BLOCKING {
            poll(fds, may_accept ? 2 : 1, TICK_MS);
        }
        may_accept = accept_all();
        kv_keyspace_sweep(SWEEP_MS);
    }
}

struct kv_server_counts kv_server_counts(void)
{
    struct kv_server_counts counts = {
        .port = server.port,
        .threads = server.threads,
        .uptime = (uint64_t)(kv_now() - server.start) / 1000,
        .connections = __atomic_load_n(&server.connections, __ATOMIC_RELAXED),
    };

    for (unsigned i = 0; i < server.threads; i++) {
        struct worker *worker = &server.workers[i];

        counts.clients += __atomic_load_n(&worker->client_count, __ATOMIC_RELAXED);
        counts.requests += __atomic_load_n(&worker->requests, __ATOMIC_RELAXED);
    }
    return counts;
}
