/* SPDX-License-Identifier: MIT */
/* Connections: from bytes to requests to replies to bytes, without ever waiting.
 *
 * Threads: a client belongs to one worker. */
#include "client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "command.h"
#include "reply.h"

/* Read at once: small, so that one client's pipeline does not keep the others waiting. */
#define READ_BYTES ((size_t)16 << 10)
/* With so much output not taken by the client, none of its requests are run. */
#define OUTPUT_HIGH ((size_t)1 << 20)
/* Read from a client after its last request, before it is cut off. */
#define DISCARD_MAX ((size_t)1 << 20)

struct kv_client *kv_client_new(int fd, uint64_t *requests_run)
{
    static uint64_t last_id; /* atomic */
    struct kv_client *client = calloc(1, sizeof *client);

    if (client == NULL) {
        close(fd);
        return NULL;
    }
    client->fd = fd;
    client->requests_run = requests_run;
    client->id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
    return client;
}

void kv_client_free(struct kv_client *client)
{
    close(client->fd);
    kv_buffer_free(&client->input);
    kv_buffer_free(&client->output);
    kv_request_free(&client->request);
    free(client);
}

bool kv_argument_is(const struct kv_client *client, size_t index, const char *word)
{
    struct kv_slice argument = kv_argument(client, index);

    return argument.length == strlen(word) &&
           strncasecmp(argument.data, word, argument.length) == 0;
}

/* One read; what is left comes with the next event, after the other clients had their turn. */
static size_t read_some(struct kv_client *client, char *bytes)
{
    ssize_t got = read(client->fd, bytes, READ_BYTES);

    if (got > 0)
        return (size_t)got;
    if (got == 0)
        client->closing = client->ended = true;
    else if (errno != EAGAIN && errno != EINTR)
        client->broken = true;
    return 0;
}

static void fill_input(struct kv_client *client)
{
    struct kv_buffer *input = &client->input;

    if (kv_buffer_reserve(input, READ_BYTES))
        input->end += read_some(client, input->data + input->end);
    else
        client->broken = true;
}

/* Closing a socket with unread input resets the connection, and the reset may overtake the last
 * reply. So a client that was told to go is closed when it has gone, or sends too much. */
static void discard_input(struct kv_client *client)
{
    char unwanted[READ_BYTES];

    client->discarded += read_some(client, unwanted);
    if (client->discarded > DISCARD_MAX)
        client->broken = true;
}

static void say_goodbye(struct kv_client *client)
{
    if (client->closing && !client->said_goodbye && kv_buffer_used(&client->output) == 0) {
        shutdown(client->fd, SHUT_WR);
        client->said_goodbye = true;
    }
}

static bool may_run(const struct kv_client *client)
{
    return !client->closing && !client->broken && kv_buffer_used(&client->output) < OUTPUT_HIGH;
}

static void run_requests(struct kv_client *client)
{
    struct kv_request *request = &client->request;

    while (may_run(client)) {
        switch (kv_request_parse(request, &client->input)) {
        case KV_INCOMPLETE:
            return;
        case KV_COMPLETE:
            if (request->count != 0)
                kv_command_run(client);
            kv_request_consume(request, &client->input);
            break;
        case KV_MALFORMED:
            kv_reply_error(client, "ERR %s", request->error);
            client->closing = true;
            break;
        }
    }
}

static void flush_output(struct kv_client *client)
{
    struct kv_buffer *output = &client->output;

    while (kv_buffer_used(output) != 0 && !client->broken) {
        ssize_t sent =
            send(client->fd, output->data + output->start, kv_buffer_used(output), MSG_NOSIGNAL);

        if (sent >= 0)
            kv_buffer_consume(output, (size_t)sent);
        else if (errno == EAGAIN)
            return;
        else if (errno != EINTR)
            client->broken = true;
    }
}

/* Requests that a full output held back are run as soon as it has been written. */
void kv_client_serve(struct kv_client *client, bool readable)
{
    bool held_back;

    if (readable && may_run(client))
        fill_input(client);
    else if (readable && client->closing)
        discard_input(client);
    do {
        run_requests(client);
        held_back = kv_buffer_used(&client->output) >= OUTPUT_HIGH;
        flush_output(client);
    } while (held_back && may_run(client));
    say_goodbye(client);
}

unsigned kv_client_events(const struct kv_client *client)
{
    bool writing = kv_buffer_used(&client->output) != 0;

    if (client->broken || (client->ended && !writing))
        return 0;
    return (may_run(client) || !writing ? EPOLLIN : 0u) | (writing ? EPOLLOUT : 0u);
}
