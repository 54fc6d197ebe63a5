/* SPDX-License-Identifier: MIT */
/* Encoding of replies into a client's output buffer. */
#include "reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "number.h"

#define LINE_BYTES (KV_INTEGER_MAX + 3) /* a type, a number and a line end */

static void append(struct kv_client *client, const void *bytes, size_t n)
{
    if (!kv_buffer_append(&client->output, bytes, n))
        client->broken = true;
}

static size_t format_line(char line[LINE_BYTES], char type, int64_t number)
{
    size_t length = 1 + kv_integer_format(number, line + 1);

    line[0] = type;
    line[length] = '\r';
    line[length + 1] = '\n';
    return length + 2;
}

/* Room for n more bytes, to be counted in by the caller; NULL: there is none. */
static char *reserve(struct kv_client *client, size_t n)
{
    if (kv_buffer_reserve(&client->output, n))
        return client->output.data + client->output.end;
    client->broken = true;
    return NULL;
}

static void append_line(struct kv_client *client, char type, int64_t number)
{
    char line[LINE_BYTES];

    append(client, line, format_line(line, type, number));
}

void kv_reply_status(struct kv_client *client, const char *text)
{
    append(client, "+", 1);
    append(client, text, strlen(text));
    append(client, "\r\n", 2);
}

void kv_reply_error(struct kv_client *client, const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ')
            *c = ' ';
    }
    append(client, "-", 1);
    append(client, text, strlen(text));
    append(client, "\r\n", 2);
}

void kv_reply_wrong_type(struct kv_client *client)
{
    kv_reply_error(client, "WRONGTYPE Operation against a key holding the wrong kind of value");
}

void kv_reply_no_memory(struct kv_client *client)
{
    kv_reply_error(client, "OOM command failed: out of memory");
}

void kv_reply_not_integer(struct kv_client *client)
{
    kv_reply_error(client, "ERR value is not an integer or out of range");
}

void kv_reply_syntax_error(struct kv_client *client)
{
    kv_reply_error(client, "ERR syntax error");
}

void kv_reply_wrong_arity(struct kv_client *client)
{
    kv_reply_error(client, "ERR wrong number of arguments for '%s' command", client->command->name);
}

void kv_reply_integer(struct kv_client *client, int64_t number)
{
    append_line(client, ':', number);
}

void kv_reply_double(struct kv_client *client, double number)
{
    char text[KV_DOUBLE_MAX];
    size_t length = kv_double_format(number, text);

    kv_reply_bulk(client, (struct kv_slice){text, length});
}

void kv_reply_bulk(struct kv_client *client, struct kv_slice bytes)
{
    char *to = reserve(client, LINE_BYTES + bytes.length + 2);
    size_t head;

    if (to == NULL)
        return;
    head = format_line(to, '$', (int64_t)bytes.length);
    memcpy(to + head, bytes.data, bytes.length);
    memcpy(to + head + bytes.length, "\r\n", 2);
    client->output.end += head + bytes.length + 2;
}

void kv_reply_text(struct kv_client *client, const char *text)
{
    kv_reply_bulk(client, (struct kv_slice){text, strlen(text)});
}

void kv_reply_null(struct kv_client *client)
{
    append(client, "$-1\r\n", 5);
}

void kv_reply_string(struct kv_client *client, const kv_string *string)
{
    if (string == NULL)
        kv_reply_null(client);
    else
        kv_reply_bulk(client, kv_string_slice(string));
}

void kv_reply_array(struct kv_client *client, uint64_t n)
{
    append_line(client, '*', (int64_t)n);
}

void kv_reply_null_array(struct kv_client *client)
{
    append(client, "*-1\r\n", 5);
}

size_t kv_reply_mark(const struct kv_client *client)
{
    return kv_buffer_used(&client->output);
}

void kv_reply_to_front(struct kv_client *client, size_t mark, size_t from)
{
    struct kv_buffer *output = &client->output;
    size_t length = kv_buffer_used(output) - from;
    char *start;

    if (reserve(client, length) == NULL)
        return;
    start = output->data + output->start + mark;
    memmove(start + length, start, kv_buffer_used(output) - mark);
    memcpy(start, output->data + output->end, length); /* where the end has just been moved to */
}
