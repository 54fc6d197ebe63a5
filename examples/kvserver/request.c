/* SPDX-License-Identifier: MIT */
/* Parsing of requests. Arguments are not copied: they stay in the client's buffer until the command
 * has run. */
#include "request.h"

#include <stdlib.h>
#include <string.h>

#include "number.h"

#define LINE_MAX_BYTES ((size_t)64 << 10)   /* of an inline command or a length */
#define REQUEST_MAX_BYTES ((size_t)1 << 30) /* of all arguments together */
#define ARGUMENTS_KEPT 1024u                /* a longer array is given back after the request */

static enum kv_progress malformed(struct kv_request *request, const char *error)
{
    request->error = error;
    return KV_MALFORMED;
}

static bool add_argument(struct kv_request *request, size_t offset, size_t length)
{
    if (request->count == request->capacity) {
        size_t capacity = request->capacity != 0 ? 2 * request->capacity : 16;
        struct kv_argument *larger =
            realloc(request->arguments, capacity * sizeof *request->arguments);

        if (larger == NULL)
            return false;
        request->arguments = larger;
        request->capacity = capacity;
    }
    request->arguments[request->count++] = (struct kv_argument){offset, length};
    return true;
}

/* The line at request->parsed without its end. `error` is for a line that goes on for too long. */
static enum kv_progress next_line(struct kv_request *request, const struct kv_buffer *buffer,
                                  struct kv_slice *line, const char *error)
{
    const char *start = buffer->data + buffer->start + request->parsed;
    size_t available = kv_buffer_used(buffer) - request->parsed;
    const char *end = available != 0 ? memchr(start, '\n', available) : NULL;

    if (end == NULL)
        return available > LINE_MAX_BYTES ? malformed(request, error) : KV_INCOMPLETE;
    line->data = start;
    line->length = (size_t)(end - start) - (end > start && end[-1] == '\r');
    request->parsed += (size_t)(end - start) + 1;
    return KV_COMPLETE;
}

/* ---- inline commands ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The character that the escape at text[*at], behind a backslash in double quotes, stands for; *at
 * ends on its last character. */
static char unescape(const char *text, size_t end, size_t *at)
{
    static const char names[] = "nrtba";
    static const char meanings[] = "\n\r\t\b\a";
    const char *found;

    if (text[*at] == 'x' && *at + 2 < end && hex_digit(text[*at + 1]) >= 0 &&
        hex_digit(text[*at + 2]) >= 0) {
        *at += 2;
        return (char)(hex_digit(text[*at - 1]) << 4 | hex_digit(text[*at]));
    }
    found = text[*at] != '\0' ? strchr(names, text[*at]) : NULL;
    return found != NULL ? meanings[found - names] : text[*at];
}

/* Decodes the quoted text at *at to *to, which never is behind it, and ends past the closing quote.
 * false: not closed, or glued to what follows. */
static bool decode_quoted(char *text, size_t end, size_t *at, size_t *to)
{
    char quote = text[(*at)++];

    for (; *at < end && text[*at] != quote; ++*at) {
        char c = text[*at];

        if (c == '\\' && quote == '"' && *at + 1 < end) {
            ++*at;
            c = unescape(text, end, at);
        } else if (c == '\\' && *at + 1 < end && text[*at + 1] == '\'') {
            c = text[++*at];
        }
        text[(*to)++] = c;
    }
    if (*at >= end)
        return false;
    ++*at;
    return *at == end || is_blank(text[*at]);
}

/* Decodes one argument in place. */
static bool decode_argument(char *text, size_t end, size_t *at, size_t *to)
{
    while (*at < end && !is_blank(text[*at])) {
        if (text[*at] == '"' || text[*at] == '\'')
            return decode_quoted(text, end, at, to);
        text[(*to)++] = text[(*at)++];
    }
    return true;
}

static enum kv_progress parse_inline(struct kv_request *request, struct kv_buffer *buffer)
{
    char *text = buffer->data + buffer->start;
    struct kv_slice line;
    enum kv_progress progress =
        next_line(request, buffer, &line, "Protocol error: too big inline request");

    if (progress != KV_COMPLETE)
        return progress;
    for (size_t at = 0; at < line.length;) {
        size_t first = at, to = at;

        if (is_blank(text[at])) {
            at++;
            continue;
        }
        if (!decode_argument(text, line.length, &at, &to))
            return malformed(request, "Protocol error: unbalanced quotes in request");
        if (!add_argument(request, first, to - first))
            return malformed(request, "out of memory");
    }
    return KV_COMPLETE;
}

/* ---- arrays of bulk strings ---- */

/* The line "*<number>", which begins a request; zero or less is an empty one. */
static enum kv_progress parse_count(struct kv_request *request, struct kv_buffer *buffer)
{
    struct kv_slice line;
    int64_t count;
    enum kv_progress progress =
        next_line(request, buffer, &line, "Protocol error: too big mbulk count string");

    if (progress != KV_COMPLETE)
        return progress;
    line.data++;
    line.length--;
    if (!kv_integer_parse(line, &count) || count > KV_ARGUMENTS_MAX)
        return malformed(request, "Protocol error: invalid multibulk length");
    request->missing = count > 0 ? (uint32_t)count : 0;
    return KV_COMPLETE;
}

/* The line "$<number>" before an argument. */
static enum kv_progress parse_length(struct kv_request *request, struct kv_buffer *buffer)
{
    struct kv_slice line;
    enum kv_progress progress =
        next_line(request, buffer, &line, "Protocol error: too big bulk count string");

    if (progress != KV_COMPLETE)
        return progress;
    if (line.length == 0 || line.data[0] != '$')
        return malformed(request, "Protocol error: expected '$' before an argument");
    line.data++;
    line.length--;
    if (!kv_integer_parse(line, &request->bulk_length) || request->bulk_length < 0 ||
        request->bulk_length > KV_STRING_MAX)
        return malformed(request, "Protocol error: invalid bulk length");
    if (request->parsed + (size_t)request->bulk_length > REQUEST_MAX_BYTES)
        return malformed(request, "Protocol error: request too long");
    request->has_length = true;
    return KV_COMPLETE;
}

/* The bytes of an argument, and the line end behind them. */
static enum kv_progress parse_bulk(struct kv_request *request, struct kv_buffer *buffer)
{
    size_t length = (size_t)request->bulk_length;
    const char *end = buffer->data + buffer->start + request->parsed + length;

    if (kv_buffer_used(buffer) - request->parsed < length + 2)
        return KV_INCOMPLETE;
    if (end[0] != '\r' || end[1] != '\n')
        return malformed(request, "Protocol error: argument longer than its length");
    if (!add_argument(request, request->parsed, length))
        return malformed(request, "out of memory");
    request->parsed += length + 2;
    request->has_length = false;
    request->missing--;
    return KV_COMPLETE;
}

static enum kv_progress parse_arguments(struct kv_request *request, struct kv_buffer *buffer)
{
    enum kv_progress progress = KV_COMPLETE;

    while (progress == KV_COMPLETE && request->missing != 0)
        progress =
            request->has_length ? parse_bulk(request, buffer) : parse_length(request, buffer);
    return progress;
}

enum kv_progress kv_request_parse(struct kv_request *request, struct kv_buffer *buffer)
{
    if (request->parsed == 0) {
        enum kv_progress progress;

        if (kv_buffer_used(buffer) == 0)
            return KV_INCOMPLETE;
        if (buffer->data[buffer->start] != '*')
            return parse_inline(request, buffer);
        progress = parse_count(request, buffer);
        if (progress != KV_COMPLETE)
            return progress;
    }
    return parse_arguments(request, buffer);
}

void kv_request_consume(struct kv_request *request, struct kv_buffer *buffer)
{
    kv_buffer_consume(buffer, request->parsed);
    request->parsed = 0;
    request->count = 0;
    if (request->capacity > ARGUMENTS_KEPT)
        kv_request_free(request);
}

void kv_request_free(struct kv_request *request)
{
    free(request->arguments);
    *request = (struct kv_request){0};
}
