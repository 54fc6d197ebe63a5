/* SPDX-License-Identifier: MIT */
/* tests/type_shapes.h: structs of all kinds with their types, and the masks they must have, written
 * by hand. C11 and C++17. */
#ifndef TRI__TESTS_TYPE_SHAPES_H
#define TRI__TESTS_TYPE_SHAPES_H

#include <stdlib.h>
#include <string.h>
#include <tricolor/type.h>

typedef struct tree {
    struct tree *left, *right;
    long key;
} tree;
TRI_EXTERN_TYPE(tree); /* as a header would, before the definition */
TRI_TYPE(tree, left, right);

typedef void *lone_pointer;
typedef struct one {
    lone_pointer p;
} one;
TRI_TYPE(one, p);

typedef struct scalar_first {
    long a;
    void *p;
    long b;
    void *q;
    long c;
    void *r;
} scalar_first;
TRI_TYPE(scalar_first, p, q, r);

typedef struct pointer_first {
    void *p;
    long a;
    void *q;
    long b;
    void *r;
    long c;
} pointer_first;
TRI_TYPE(pointer_first, r, p, q); /* the order of members means nothing */

typedef struct slice {
    void *data;
    size_t length, capacity;
} slice;
TRI_TYPE(slice, data);

typedef struct text {
    const char *data;
    size_t length;
} text;
TRI_TYPE(text, data);

typedef struct tagged {
    uintptr_t kind;
    void *value;
} tagged;
TRI_TYPE(tagged, value);

typedef struct mixed {
    void *p;
    unsigned char byte, bytes[17];
    slice items;
    long number;
    unsigned short small;
    unsigned long large;
    text name;
} mixed;
TRI_TYPE(mixed, p, items.data, name.data);

typedef struct nested {
    struct {
        int tag;
        void *left;
    } in;
    struct {
        long weight;
        void *p, *q;
    } slot[3];
    void *many[2];
    union {
        void *object;
        char *string;
        long number;
    } value;
} nested;
TRI_TYPE(nested, in.left, slot[0].p, slot[2].p, slot[2].q, many, value.object, value.string);

typedef struct words_63 {
    void *p[63];
} words_63;
TRI_TYPE(words_63, p);

typedef struct words_64 {
    void *p[64];
} words_64;
TRI_TYPE(words_64, p);

typedef struct words_65 {
    void *p[65];
} words_65;
TRI_TYPE(words_65, p);

typedef struct late_scalar { /* the last pointer is the last word that fits one mask */
    void *first;
    long a[62];
    void *last;
    long b[100];
} late_scalar;
TRI_TYPE(late_scalar, first, last);

typedef struct long_mask { /* bits on both sides of words 64, 128 and 192 */
    void *a[63];
    long b;
    void *c[2];
    long d[61];
    void *e[3];
    long f[60];
    void *g;
    union {
        void *one;
        void *two[2];
    } u;
    long h[5];
} long_mask;
TRI_TYPE(long_mask, a, c, e, g, u.one, u.two);

typedef struct blocks {
    struct {
        void *pointer[100];
        long scalar[100];
    } block[4];
} blocks;
TRI_TYPE(blocks, block[0].pointer, block[1].pointer, block[2].pointer, block[3].pointer);

typedef struct ten_thousand {
    void *p[10000];
} ten_thousand;
TRI_TYPE(ten_thousand, p);

#define TEN(w) *w##0, *w##1, *w##2, *w##3, *w##4, *w##5, *w##6, *w##7, *w##8, *w##9
typedef struct sixty_four {
    void TEN(a), TEN(b), TEN(c), TEN(d), TEN(e), TEN(f), *g0, *g1, *g2, *g3;
} sixty_four;
#undef TEN
#define TEN(w) w##0, w##1, w##2, w##3, w##4, w##5, w##6, w##7, w##8, w##9
TRI_TYPE(sixty_four, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, b0, b1, b2, b3, b4, b5, b6, b7, b8, b9,
         c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, d0, d1, d2, d3, d4, d5, d6, d7, d8, d9, e0, e1, e2,
         e3, e4, e5, e6, e7, e8, e9, f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, g0, g1, g2, g3);
#undef TEN

typedef int half;
TRI_LEAF_TYPE(half);
typedef struct blob {
    char bytes[513];
} blob;
TRI_LEAF_TYPE(blob);
typedef struct big_blob {
    char bytes[32769];
} big_blob;
TRI_LEAF_TYPE(big_blob);

typedef struct vector {
    size_t length;
    void *items[];
} vector;
TRI_FLEX_TYPE(vector, items);

typedef struct closure {
    void (*code)(void);
    tree *self;
    size_t count;
    void *captured[];
} closure;
TRI_FLEX_TYPE(closure, captured, self);

typedef struct table {
    struct table *old;
    size_t used;
    slice entries[];
} table;
TRI_FLEX_TYPE_OF(table, entries, slice, old);

typedef struct record {
    size_t count;
    tagged fields[];
} record;
TRI_FLEX_TYPE_OF(record, fields, tagged);

typedef struct letter { /* a leaf tail that begins in the padding */
    struct letter *next;
    int length;
    half body[];
} letter;
TRI_FLEX_TYPE_OF(letter, body, half, next);

typedef struct long_head {
    void *p[70];
    long scalar;
    void *items[];
} long_head;
TRI_FLEX_TYPE(long_head, items, p);

/* A mask is written word by word, 1 for a pointer; "3*10" is 101010 and commas separate. Of a
 * flexible type it is the mask of the fixed part. */
struct shape {
    const tri_type *type;
    const char *name;
    size_t size;
    const char *mask;
};

#define SHAPE(T, mask) {&tri_type_##T, #T, sizeof(T), mask}
static const struct shape shapes[] = {
    SHAPE(tree, "110"),
    SHAPE(one, "1"),
    SHAPE(scalar_first, "010101"),
    SHAPE(pointer_first, "101010"),
    SHAPE(slice, "100"),
    SHAPE(text, "10"),
    SHAPE(tagged, "01"),
    SHAPE(mixed, "1,000,100,000,10"),
    SHAPE(nested, "01,010,000,011,11,1"),
    SHAPE(words_63, "63*1"),
    SHAPE(words_64, "64*1"),
    SHAPE(words_65, "65*1"),
    SHAPE(late_scalar, "1,62*0,1,100*0"),
    SHAPE(long_mask, "63*1,0,2*1,61*0,3*1,60*0,1,2*1,5*0"),
    SHAPE(blocks, "100*1,100*0,100*1,100*0,100*1,100*0,100*1,100*0"),
    SHAPE(ten_thousand, "10000*1"),
    SHAPE(sixty_four, "64*1"),
    SHAPE(vector, "0"),
    SHAPE(closure, "010"),
    SHAPE(table, "10"),
    SHAPE(record, "0"),
    SHAPE(letter, "10"),
    SHAPE(long_head, "70*1,0"),
};
#undef SHAPE
#define SHAPES (sizeof shapes / sizeof *shapes)

/* One byte a word, written to `words`, which has room for `room`; returns how many. */
static inline size_t shape_words(const char *mask, unsigned char *words, size_t room)
{
    size_t length = 0;

    while (*mask != '\0') {
        size_t times = 1, digits = strspn(mask, "01"), head = strspn(mask, "0123456789");
        if (mask[head] == '*') {
            times = strtoul(mask, NULL, 10);
            mask += head + 1;
            digits = strspn(mask, "01");
        }
        for (size_t i = 0; i < times * digits && length < room; i++)
            words[length++] = mask[i % digits] == '1';
        mask += digits;
        mask += *mask == ',';
    }
    return length;
}

#endif
