/* SPDX-License-Identifier: MIT */
/* Commands about the connection and the server. */
#include <string.h>

#include "command.h"
#include "glob.h"
#include "reply.h"

/* ---- the connection ---- */

void kv_ping_command(struct kv_client *client)
{
    if (kv_argument_count(client) > 2)
        kv_reply_wrong_arity(client);
    else if (kv_argument_count(client) == 2)
        kv_reply_bulk(client, kv_argument(client, 1));
    else
        kv_reply_status(client, "PONG");
}

void kv_echo_command(struct kv_client *client)
{
    kv_reply_bulk(client, kv_argument(client, 1));
}

void kv_quit_command(struct kv_client *client)
{
    kv_reply_ok(client);
    client->closing = true;
}

void kv_select_command(struct kv_client *client)
{
    int64_t database;

    if (!kv_get_integer(client, 1, &database))
        return;
    if (database < 0 || database >= KV_DATABASES) {
        kv_reply_error(client, "ERR DB index is out of range");
        return;
    }
    client->database = (unsigned)database;
    kv_reply_ok(client);
}

/* Only RESP2 is spoken; a client that asks for RESP3 is told so and goes on with 2. */
void kv_hello_command(struct kv_client *client)
{
    if (kv_argument_count(client) > 1 && !kv_argument_is(client, 1, "2")) {
        kv_reply_error(client, "NOPROTO unsupported protocol version");
        return;
    }
    if (kv_argument_count(client) > 2) {
        kv_reply_syntax_error(client);
        return;
    }
    kv_reply_array(client, 8);
    kv_reply_text(client, "server");
    kv_reply_text(client, "tricolor kvserver");
    kv_reply_text(client, "proto");
    kv_reply_integer(client, 2);
    kv_reply_text(client, "id");
    kv_reply_integer(client, (int64_t)client->id);
    kv_reply_text(client, "mode");
    kv_reply_text(client, "standalone");
}

static void reply_unknown_subcommand(struct kv_client *client)
{
    struct kv_slice name = kv_argument(client, 1);

    kv_reply_error(client, "ERR unknown subcommand '%.*s'",
                   name.length < 128 ? (int)name.length : 128, name.data);
}

static void set_name(struct kv_client *client, struct kv_slice name)
{
    if (name.length >= sizeof client->name) {
        kv_reply_error(client, "ERR client name is too long");
        return;
    }
    memcpy(client->name, name.data, name.length);
    client->name[name.length] = '\0';
    kv_reply_ok(client);
}

/* What client libraries send when they connect. */
void kv_client_command(struct kv_client *client)
{
    size_t arguments = kv_argument_count(client);

    if (kv_argument_is(client, 1, "id") && arguments == 2)
        kv_reply_integer(client, (int64_t)client->id);
    else if (kv_argument_is(client, 1, "getname") && arguments == 2)
        kv_reply_text(client, client->name);
    else if (kv_argument_is(client, 1, "setname") && arguments == 3)
        set_name(client, kv_argument(client, 2));
    else if (kv_argument_is(client, 1, "setinfo") && arguments == 4)
        kv_reply_ok(client);
    else
        reply_unknown_subcommand(client);
}

/* ---- COMMAND ---- */

static void reply_command(struct kv_client *client, const struct kv_command *command)
{
    if (command == NULL) {
        kv_reply_null_array(client);
        return;
    }
    kv_reply_array(client, 6);
    kv_reply_text(client, command->name);
    kv_reply_integer(client, command->arity);
    kv_reply_array(client, 1);
    kv_reply_status(client, command->flags);
    kv_reply_integer(client, command->first_key);
    kv_reply_integer(client, command->last_key);
    kv_reply_integer(client, command->key_step);
}

static uint64_t count_commands(void)
{
    uint64_t count = 0;

    while (kv_commands[count].name != NULL)
        count++;
    return count;
}

static void reply_all_commands(struct kv_client *client)
{
    kv_reply_array(client, count_commands());
    for (const struct kv_command *command = kv_commands; command->name != NULL; command++)
        reply_command(client, command);
}

/* redis-cli asks for COMMAND DOCS at its start, and does without where there are none. */
void kv_command_command(struct kv_client *client)
{
    size_t arguments = kv_argument_count(client);

    if (arguments == 1 || (kv_argument_is(client, 1, "info") && arguments == 2)) {
        reply_all_commands(client);
    } else if (kv_argument_is(client, 1, "info")) {
        kv_reply_array(client, arguments - 2);
        for (size_t i = 2; i < arguments; i++)
            reply_command(client, kv_command_find(kv_argument(client, i)));
    } else if (kv_argument_is(client, 1, "count") && arguments == 2) {
        kv_reply_integer(client, (int64_t)count_commands());
    } else if (kv_argument_is(client, 1, "docs")) {
        kv_reply_array(client, 0);
    } else {
        reply_unknown_subcommand(client);
    }
}

/* ---- CONFIG ---- */

/* What redis-benchmark and client libraries ask for. */
static const struct {
    const char *name, *value;
} settings[] = {
    {"appendonly", "no"}, {"databases", "16"},
    {"maxmemory", "0"},   {"proto-max-bulk-len", "536870912"},
    {"save", ""},         {"timeout", "0"},
};

static bool matches_any(struct kv_client *client, const char *name)
{
    struct kv_slice text = {name, strlen(name)};

    for (size_t i = 2; i < kv_argument_count(client); i++) {
        if (kv_glob_match(kv_argument(client, i), text))
            return true;
    }
    return false;
}

static void get_settings(struct kv_client *client)
{
    size_t mark = kv_reply_mark(client);
    uint64_t replies = 0;
    size_t end;

    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        if (!matches_any(client, settings[i].name))
            continue;
        kv_reply_text(client, settings[i].name);
        kv_reply_text(client, settings[i].value);
        replies += 2;
    }
    end = kv_reply_mark(client);
    kv_reply_array(client, replies);
    kv_reply_to_front(client, mark, end);
}

/* One setting of ours: how much garbage there may be, in percent of the live heap, before it is
 * collected. */
static void set_setting(struct kv_client *client)
{
    int64_t percent;

    if (!kv_argument_is(client, 2, "gc-percent")) {
        kv_reply_error(client, "ERR only gc-percent can be set");
        return;
    }
    if (!kv_get_integer(client, 3, &percent))
        return;
    if (percent < -1 || percent > 100000) {
        kv_reply_error(client, "ERR gc-percent must be between -1 (off) and 100000");
        return;
    }
    tri_set_gc_percent((int)percent);
    kv_reply_ok(client);
}

void kv_config_command(struct kv_client *client)
{
    size_t arguments = kv_argument_count(client);

    if (kv_argument_is(client, 1, "get") && arguments >= 3)
        get_settings(client);
    else if (kv_argument_is(client, 1, "set") && arguments == 4)
        set_setting(client);
    else if (kv_argument_is(client, 1, "resetstat") && arguments == 2)
        kv_reply_ok(client);
    else
        reply_unknown_subcommand(client);
}

/* ---- MEMORY PURGE: a full collection, which only this worker waits for ---- */

void kv_memory_command(struct kv_client *client)
{
    if (!kv_argument_is(client, 1, "purge") || kv_argument_count(client) != 2) {
        reply_unknown_subcommand(client);
        return;
    }
    tri_collect();
    kv_reply_ok(client);
}
