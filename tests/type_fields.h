/* SPDX-License-Identifier: MIT */
/* tests/type_fields.h: the fields of a description of a type, as its initializer says them. */
#ifndef TRI__TESTS_TYPE_FIELDS_H
#define TRI__TESTS_TYPE_FIELDS_H

#include <tricolor/type.h>

#define FIELDS(...)                                                                                \
    .fields = (const tri_type_field[]){__VA_ARGS__},                                               \
    .field_count = sizeof((const tri_type_field[]){__VA_ARGS__}) / sizeof(tri_type_field)

#endif
