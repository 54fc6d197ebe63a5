/* SPDX-License-Identifier: MIT */
/* What messages call the words of objects. */
#include <check.h>
#include <stdlib.h>

#include <tricolor/type.h>

#include "suite.h"

#include "layout/member_name.h"

typedef struct leaf {
    long number;
} leaf;
TRI_LEAF_TYPE(leaf);

typedef struct pair {
    long number;
    void *left, *right;
} pair;
TRI_TYPE(pair, right, left);

typedef struct deep {
    struct {
        void *p;
        long n;
    } in, slots[2];
    void *row[4];
} deep;
TRI_TYPE(deep, in.p, slots[1].p, row);

typedef struct words {
    long count;
    void *owner;
    void *items[];
} words;
TRI_FLEX_TYPE(words, items, owner);

typedef struct pairs {
    long count;
    pair items[];
} pairs;
TRI_FLEX_TYPE_OF(pairs, items, pair);

typedef struct leaves {
    void *owner;
    leaf numbers[];
} leaves;
TRI_FLEX_TYPE_OF(leaves, numbers, leaf, owner);

static const uint64_t all = 3;
static const tri_type by_hand = {.size = 16, .ptr_bytes = 16, .gc_data = &all, .name = "by hand"};

static const struct {
    const tri_type *type;
    size_t offset;
    const char *name; /* NULL: none */
} cases[] = {
    {&tri_type_pair, 0, NULL},
    {&tri_type_pair, 8, "left"},
    {&tri_type_pair, 16, "right"},
    {&tri_type_pair, 24 + 8, "[1].left"},
    {&tri_type_pair, 240, NULL},
    {&tri_type_deep, 0, "in.p"},
    {&tri_type_deep, 8, NULL},
    {&tri_type_deep, 16, NULL},
    {&tri_type_deep, 32, "slots[1].p"},
    {&tri_type_deep, 48, "row[0]"},
    {&tri_type_deep, 72, "row[3]"},
    {&tri_type_deep, 80 + 72, "[1].row[3]"},
    {&tri_type_words, 8, "owner"},
    {&tri_type_words, 16, "items[0]"},
    {&tri_type_words, 16 + 8 * 100, "items[100]"},
    {&tri_type_pairs, 0, NULL},
    {&tri_type_pairs, 8 + 24 * 7 + 16, "items[7].right"},
    {&tri_type_pairs, 8 + 24 * 7, "items[7]"},
    {&tri_type_leaves, 0, "owner"},
    {&tri_type_leaves, 8, "numbers[0]"},
    {&tri_type_leaf, 0, NULL},
    {&tri_type_ptr, 0, NULL},
    {&tri_type_bytes, 12, NULL},
    {&by_hand, 8, NULL},
    {&by_hand, 24, NULL},
};

START_TEST(words_have_names)
{
    char name[80];
    bool named = tri__member_name(cases[_i].type, cases[_i].offset, name, sizeof name);

    ck_assert_msg(named == (cases[_i].name != NULL), "%s at %zu: \"%s\"", cases[_i].type->name,
                  cases[_i].offset, named ? name : "none");
    if (named)
        ck_assert_str_eq(name, cases[_i].name);
}
END_TEST

START_TEST(names_are_cut)
{
    char name[8];

    ck_assert(tri__member_name(&tri_type_words, 16 + 8 * 1000, name, sizeof name));
    ck_assert_str_eq(name, "items[1");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("member_name");
    TCase *names = tcase_create("names");

    tcase_add_loop_test(names, words_have_names, 0, sizeof cases / sizeof cases[0]);
    tcase_add_test(names, names_are_cut);
    suite_add_tcase(suite, names);
    return run_suite(suite);
}
