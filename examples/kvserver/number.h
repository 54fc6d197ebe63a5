/* SPDX-License-Identifier: MIT */
/* Numbers as the protocol writes them. */
#ifndef KV_NUMBER_H
#define KV_NUMBER_H

#include "value.h"

#define KV_INTEGER_MAX 24 /* bytes for any int64_t in decimal */
#define KV_DOUBLE_MAX 32  /* bytes for any double, terminator included */

/* Exactly the texts that kv_integer_format makes: no blanks, no plus sign, no leading zeros, and
 * within int64_t. */
bool kv_integer_parse(struct kv_slice text, int64_t *number);

/* Writes the digits, without a terminator, and returns how many there are. */
size_t kv_integer_format(int64_t number, char text[KV_INTEGER_MAX]);

/* Any text strtod takes as a whole, "inf" included, but no NaN. */
bool kv_double_parse(struct kv_slice text, double *number);

/* The shortest decimal that reads back as the same number; returns its length. */
size_t kv_double_format(double number, char text[KV_DOUBLE_MAX]);

#endif
