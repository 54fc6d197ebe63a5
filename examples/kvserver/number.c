/* SPDX-License-Identifier: MIT */
/* Numbers as the protocol writes them. */
#include "number.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The digits as a number below 2^64; false for anything but digits, leading zeros and overflow. */
static bool parse_digits(const char *digits, size_t length, uint64_t *number)
{
    uint64_t total = 0;

    if (length == 0 || (digits[0] == '0' && length > 1))
        return false;
    for (size_t i = 0; i < length; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return false;
        if (__builtin_mul_overflow(total, 10u, &total) ||
            __builtin_add_overflow(total, (uint64_t)(digits[i] - '0'), &total))
            return false;
    }
    *number = total;
    return true;
}

bool kv_integer_parse(struct kv_slice text, int64_t *number)
{
    bool negative = text.length > 0 && text.data[0] == '-';
    uint64_t size;

    if (!parse_digits(text.data + negative, text.length - negative, &size))
        return false;
    if (negative && size == 0)
        return false;
    if (size > (uint64_t)INT64_MAX + negative)
        return false;
    *number = (int64_t)(negative ? 0 - size : size);
    return true;
}

size_t kv_integer_format(int64_t number, char text[KV_INTEGER_MAX])
{
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    char *end = text + KV_INTEGER_MAX;
    char *start = end;

    do {
        *--start = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (number < 0)
        *--start = '-';
    memmove(text, start, (size_t)(end - start));
    return (size_t)(end - start);
}

bool kv_double_parse(struct kv_slice text, double *number)
{
    char copy[64];
    char *end;

    if (text.length == 0 || text.length >= sizeof copy || isspace((unsigned char)text.data[0]))
        return false;
    memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    *number = strtod(copy, &end);
    return end == copy + text.length && !isnan(*number);
}

size_t kv_double_format(double number, char text[KV_DOUBLE_MAX])
{
    int length = 0;

    if (isinf(number))
        return (size_t)snprintf(text, KV_DOUBLE_MAX, "%s", number > 0 ? "inf" : "-inf");
    for (int precision = 15; precision <= 17; precision++) {
        length = snprintf(text, KV_DOUBLE_MAX, "%.*g", precision, number);
        if (strtod(text, NULL) == number)
            break;
    }
    return (size_t)length;
}
