/* SPDX-License-Identifier: MIT */
/* kvserver's values against naive models: lists, tries and ordered trees, whose old versions must
 * never change; and the patterns and numbers of the protocol. */
#include <math.h>
#include <string.h>

#include "random.h"
#include "suite.h"

#include "examples/kvserver/glob.h"
#include "examples/kvserver/list.h"
#include "examples/kvserver/number.h"
#include "examples/kvserver/order.h"

static uint64_t seed;

static void start_heap(void)
{
    tri_config config = TRI_CONFIG_INIT;
    config.gc_percent = 10; /* many cycles */
    ck_assert_int_eq(tri_init(&config), 0);
}

static struct kv_slice slice(const char *text)
{
    return (struct kv_slice){text, strlen(text)};
}

/* ---- lists ---- */

#define ELEMENTS 20000u
#define SNAPSHOTS 64u

/* The elements first up to last of an array with room on both sides. */
struct deque {
    uint64_t elements[2 * ELEMENTS];
    unsigned first, last;
};

/* A published list, with a copy of what it must hold. */
struct list_snapshot {
    kv_list *list;
    struct deque *expected;
};

static uint64_t number_of(const kv_string *string)
{
    int64_t number = -1;
    ck_assert(kv_integer_parse(kv_string_slice(string), &number));
    return (uint64_t)number;
}

static void check_list(const kv_list *list, const struct deque *expected)
{
    ck_assert_uint_eq(list->count, expected->last - expected->first);
    for (unsigned i = 0; i < list->count; i++)
        ck_assert_uint_eq(number_of(kv_list_at(list, i)), expected->elements[expected->first + i]);
}

static void push(kv_list *list, struct deque *deque, enum kv_end end, uint64_t number)
{
    ck_assert(kv_list_push(list, end, kv_string_from_integer((int64_t)number)));
    if (end == KV_LEFT)
        deque->elements[--deque->first] = number;
    else
        deque->elements[deque->last++] = number;
}

static void pop(kv_list *list, struct deque *deque, enum kv_end end)
{
    uint64_t number = number_of(kv_list_pop(list, end));
    uint64_t expected =
        end == KV_LEFT ? deque->elements[deque->first++] : deque->elements[--deque->last];
    ck_assert_uint_eq(number, expected);
}

/* When a model's window has drifted to a border, back to the middle. */
static void recentre(struct deque *deque)
{
    unsigned count = deque->last - deque->first;
    if (deque->first > 0 && deque->last < 2 * ELEMENTS)
        return;
    memmove(deque->elements + ELEMENTS - count / 2, deque->elements + deque->first,
            count * sizeof deque->elements[0]);
    deque->first = ELEMENTS - count / 2;
    deque->last = deque->first + count;
}

/* Whether the next step adds, and where: each phase leans to one side, so that windows grow, shrink
 * and drift. */
static void list_step(kv_list *list, struct deque *deque, unsigned phase, struct random *random,
                      uint64_t number)
{
    static const unsigned pushes[] = {9, 5, 1, 5, 5}, lefts[] = {5, 1, 5, 9, 5};
    bool pushing = random_below(random, 10) < pushes[phase % 5];
    bool left = random_below(random, 10) < lefts[phase % 5];
    enum kv_end end =
        left == (pushing || phase % 5 == 4) ? KV_LEFT : KV_RIGHT; /* phase 4: a stack */
    recentre(deque);
    if (pushing && list->count < ELEMENTS)
        push(list, deque, end, number);
    else if (list->count > 0)
        pop(list, deque, end);
}

START_TEST(lists)
{
    static struct deque deque = {.first = ELEMENTS, .last = ELEMENTS};
    struct random random = random_of(seed, 1);
    struct list_snapshot snapshots[SNAPSHOTS] = {{NULL, NULL}}; /* on the stack, which is a root */
    kv_list list = kv_list_empty();
    start_heap();
    for (unsigned step = 0; step < 150000; step++) {
        struct list_snapshot *snapshot = &snapshots[random_below(&random, SNAPSHOTS)];
        list_step(&list, &deque, step / 7000, &random, step);
        if (random_below(&random, 500) != 0)
            continue;
        if (snapshot->list != NULL)
            check_list(snapshot->list, snapshot->expected);
        else
            snapshot->expected = malloc(sizeof *snapshot->expected);
        *snapshot->expected = deque;
        snapshot->list = kv_list_publishable(&list);
        list = *snapshot->list;
    }
    for (unsigned i = 0; i < SNAPSHOTS; i++) {
        if (snapshots[i].list != NULL)
            check_list(snapshots[i].list, snapshots[i].expected);
        free(snapshots[i].expected);
    }
    tri_shutdown();
}
END_TEST

/* A queue that drifts for ever through its positions keeps a tree as low as its length needs. */
START_TEST(queue_stays_low)
{
    kv_list list = kv_list_empty();
    start_heap();
    for (unsigned i = 0; i < 20000; i++) {
        ck_assert(kv_list_push(&list, KV_RIGHT, kv_string_from_integer(i)));
        if (i >= 10)
            ck_assert_uint_eq(number_of(kv_list_pop(&list, KV_LEFT)), i - 10);
        ck_assert_uint_le(list.levels, 2);
    }
    ck_assert_uint_eq(list.count, 10);
    tri_shutdown();
}
END_TEST

/* The elements that a tree keeps alive, used or not. */
static unsigned held(const kv_list_node *node, unsigned level)
{
    unsigned count = 0;
    for (unsigned i = 0; i < KV_LIST_WIDTH; i++) {
        if (node->slots[i] != NULL)
            count += level == 0 ? 1 : held(node->slots[i], level - 1);
    }
    return count;
}

/* Whichever end it is popped from, a list lets go of what is popped but for the rest of a node at
 * each end. */
START_TEST(popped_elements_are_let_go)
{
    struct random random = random_of(seed, 5);
    kv_list list = kv_list_empty();
    start_heap();
    for (unsigned i = 0; i < 20000; i++)
        ck_assert(kv_list_push(&list, i % 2 ? KV_LEFT : KV_RIGHT, kv_string_from_integer(i)));
    while (list.count > 2) {
        kv_list_pop(&list, random_below(&random, 2) ? KV_LEFT : KV_RIGHT);
        if (list.count % 100 == 2)
            ck_assert_uint_le(held(list.root, list.levels - 1), list.count + 2 * KV_LIST_WIDTH);
    }
    tri_shutdown();
}
END_TEST

/* ---- tries ---- */

#define FIELDS 2000u

struct fields {
    bool present[FIELDS];
    uint64_t value[FIELDS];
    uint32_t count;
};

struct field_name {
    char text[16];
    struct kv_name name;
};

/* All hashes equal in the low bits, and some in all: deep tries, and chains. */
static struct kv_name field_name(struct field_name *name, unsigned number)
{
    struct random random = random_of(number / 3, 0);
    uint32_t hash = (uint32_t)random_next(&random);
    int length = snprintf(name->text, sizeof name->text, "%u", number);
    if (number % 2)
        hash &= 0xf000000f;
    return (struct kv_name){name->text, (uint32_t)length, hash};
}

static kv_trie *put_field(kv_trie *trie, struct fields *fields, unsigned number, uint64_t value)
{
    struct field_name name;
    kv_field *field =
        kv_field_new(field_name(&name, number), kv_string_from_integer((int64_t)value));
    fields->count += !fields->present[number];
    fields->present[number] = true;
    fields->value[number] = value;
    trie = kv_trie_put(trie, field);
    ck_assert_ptr_nonnull(trie);
    return trie;
}

static kv_trie *remove_field(kv_trie *trie, struct fields *fields, unsigned number)
{
    struct field_name name;
    if (!fields->present[number])
        return trie;
    ck_assert(kv_trie_remove(trie, field_name(&name, number), &trie));
    fields->present[number] = false;
    fields->count--;
    return trie;
}

static void count_field(kv_field *field, void *argument)
{
    unsigned *visits = argument;
    char text[16] = {0};
    memcpy(text, field->name, field->length);
    visits[strtoul(text, NULL, 10)]++;
}

/* Below the root, no node holds a single chain and nothing else: it would stand in its parent. */
static void check_shape(const kv_trie *node)
{
    int chains = __builtin_popcount(node->fields), nodes = __builtin_popcount(node->nodes);
    ck_assert_uint_eq(node->fields & node->nodes, 0);
    for (int i = chains; i < chains + nodes; i++) {
        const kv_trie *child = node->slots[i];
        ck_assert(child->nodes != 0 || __builtin_popcount(child->fields) > 1);
        check_shape(child);
    }
}

static void check_trie(const kv_trie *trie, const struct fields *expected)
{
    static unsigned visits[FIELDS];
    struct field_name name;
    ck_assert_uint_eq(kv_trie_count(trie), expected->count);
    if (trie != NULL)
        check_shape(trie);
    memset(visits, 0, sizeof visits);
    kv_trie_each(trie, count_field, visits);
    for (uint32_t i = 0; i < kv_trie_count(trie); i++)
        count_field(kv_trie_at(trie, i), visits);
    for (unsigned i = 0; i < FIELDS; i++) {
        kv_field *field = kv_trie_find(trie, field_name(&name, i));
        ck_assert_uint_eq(visits[i], 2u * expected->present[i]);
        ck_assert_int_eq(field != NULL, expected->present[i]);
        if (field != NULL)
            ck_assert_uint_eq(number_of(field->value), expected->value[i]);
    }
}

START_TEST(tries)
{
    static struct fields fields, expected[SNAPSHOTS];
    struct random random = random_of(seed, 2);
    kv_trie *snapshots[SNAPSHOTS] = {NULL};
    kv_trie *trie = NULL;
    start_heap();
    for (unsigned step = 0; step < 100000; step++) {
        unsigned snapshot = (unsigned)random_below(&random, SNAPSHOTS);
        unsigned number = (unsigned)random_below(&random, FIELDS);
        if (random_below(&random, 10) < (step / 5000 % 2 ? 2 : 8))
            trie = put_field(trie, &fields, number, step);
        else
            trie = remove_field(trie, &fields, number);
        if (random_below(&random, 500) != 0)
            continue;
        check_trie(snapshots[snapshot], &expected[snapshot]);
        snapshots[snapshot] = trie;
        expected[snapshot] = fields;
    }
    for (unsigned i = 0; i < SNAPSHOTS; i++)
        check_trie(snapshots[i], &expected[i]);
    for (unsigned i = 0; i < FIELDS; i++)
        trie = remove_field(trie, &fields, i);
    ck_assert_ptr_null(trie);
    tri_shutdown();
}
END_TEST

/* ---- ordered trees ---- */

#define MEMBERS 500u

/* How many members are lower than this one: by score, then by the bytes of the name. */
static uint32_t model_rank(const bool *present, const double *scores, unsigned number)
{
    char mine[16], other[16];
    uint32_t rank = 0;
    snprintf(mine, sizeof mine, "%u", number);
    for (unsigned i = 0; i < MEMBERS; i++) {
        snprintf(other, sizeof other, "%u", i);
        rank += present[i] && (scores[i] < scores[number] ||
                               (scores[i] == scores[number] && strcmp(other, mine) < 0));
    }
    return rank;
}

static unsigned height(const kv_order *order)
{
    unsigned left = order != NULL ? height(order->left) : 0;
    unsigned right = order != NULL ? height(order->right) : 0;
    return order == NULL ? 0 : 1 + (left > right ? left : right);
}

static void check_order(kv_order *order, const bool *present, const double *scores)
{
    uint32_t count = 0;
    struct field_name name;
    for (unsigned i = 0; i < MEMBERS; i++) {
        if (!present[i])
            continue;
        uint32_t rank = model_rank(present, scores, i);
        struct kv_name wanted = field_name(&name, i);
        ck_assert_uint_eq(kv_order_rank(order, scores[i], wanted), rank);
        const kv_order *node = kv_order_at(order, rank);
        ck_assert(node->score == scores[i]);
        ck_assert_uint_eq(node->member->length, wanted.length);
        ck_assert_mem_eq(node->member->name, wanted.data, wanted.length);
        count++;
    }
    ck_assert_uint_eq(kv_order_count(order), count);
    ck_assert_uint_le(height(order), 2 * (33 - (unsigned)__builtin_clz(count + 1)));
}

START_TEST(orders)
{
    static bool present[MEMBERS], old_present[MEMBERS];
    static double scores[MEMBERS], old_scores[MEMBERS];
    struct random random = random_of(seed, 3);
    kv_order *order = NULL, *old = NULL;
    start_heap();
    for (unsigned step = 0; step < 20000; step++) {
        unsigned number = (unsigned)random_below(&random, MEMBERS);
        struct field_name name;
        struct kv_name wanted = field_name(&name, number);
        if (present[number]) {
            ck_assert(kv_order_remove(order, scores[number], wanted, &order));
        } else {
            scores[number] = (double)random_below(&random, step % 1000 < 500 ? 5 : 100000);
            ck_assert(kv_order_put(order, scores[number], kv_field_new(wanted, NULL), &order));
        }
        present[number] = !present[number];
        if (step % 500 != 0)
            continue;
        check_order(order, present, scores);
        check_order(old, old_present, old_scores);
        old = order;
        memcpy(old_present, present, sizeof present);
        memcpy(old_scores, scores, sizeof scores);
    }
    tri_shutdown();
}
END_TEST

/* Members that come in order are the worst case of a tree that is not balanced. */
START_TEST(order_of_ascending_scores)
{
    kv_order *order = NULL;
    struct field_name name;
    start_heap();
    for (unsigned i = 0; i < 10000; i++)
        ck_assert(kv_order_put(order, i, kv_field_new(field_name(&name, i), NULL), &order));
    ck_assert_uint_eq(kv_order_count(order), 10000);
    ck_assert_uint_le(height(order), 24);
    tri_shutdown();
}
END_TEST

/* ---- patterns ---- */

static const struct {
    const char *pattern, *text;
    bool matches;
} globs[] = {
    {"", "", true},
    {"", "a", false},
    {"*", "", true},
    {"*", "abc", true},
    {"?", "", false},
    {"?", "a", true},
    {"a?c", "abc", true},
    {"a?c", "ac", false},
    {"a*c", "ac", true},
    {"a*c", "abbbc", true},
    {"a*c", "abbb", false},
    {"*a*b*", "xxaxxbxx", true},
    {"*a*b*", "xxbxxa", false},
    {"**", "a", true},
    {"a**?", "a", false},
    {"[abc]", "b", true},
    {"[abc]", "d", false},
    {"[^abc]", "d", true},
    {"[^abc]", "a", false},
    {"[a-c]x", "bx", true},
    {"[c-a]x", "bx", true},
    {"[a-c]x", "dx", false},
    {"[^a-c]", "d", true},
    {"[a\\-c]", "-", true},
    {"[a\\-c]", "b", false},
    {"[\\]]", "]", true},
    {"[abc", "c", true},
    {"[", "[", false},
    {"[]", "]", false},
    {"\\*", "*", true},
    {"\\*", "a", false},
    {"\\", "\\", true},
    {"a\\?", "a?", true},
    {"h[ae]llo*", "hallo welt", true},
    {"h[^e]llo", "hello", false},
};

START_TEST(patterns)
{
    for (size_t i = 0; i < sizeof globs / sizeof globs[0]; i++)
        ck_assert_msg(kv_glob_match(slice(globs[i].pattern), slice(globs[i].text)) ==
                          globs[i].matches,
                      "%s on %s", globs[i].pattern, globs[i].text);
}
END_TEST

/* A pattern made to be tried in every way must not take for ever. */
START_TEST(pattern_of_many_stars)
{
    char pattern[2001], text[2001];
    for (unsigned i = 0; i < 2000; i++) {
        pattern[i] = i % 2 ? 'a' : '*';
        text[i] = 'a';
    }
    pattern[1999] = 'b';
    pattern[2000] = text[2000] = '\0';
    ck_assert(!kv_glob_match(slice(pattern), slice(text)));
}
END_TEST

/* ---- numbers ---- */

static const struct {
    const char *text;
    bool good;
    int64_t number;
} integers[] = {
    {"0", true, 0},
    {"7", true, 7},
    {"-7", true, -7},
    {"10", true, 10},
    {"", false, 0},
    {"-", false, 0},
    {"-0", false, 0},
    {"00", false, 0},
    {"01", false, 0},
    {"+1", false, 0},
    {" 1", false, 0},
    {"1 ", false, 0},
    {"1.0", false, 0},
    {"0x1", false, 0},
    {"a", false, 0},
    {"--1", false, 0},
    {"9223372036854775807", true, INT64_MAX},
    {"9223372036854775808", false, 0},
    {"-9223372036854775808", true, INT64_MIN},
    {"-9223372036854775809", false, 0},
    {"18446744073709551616", false, 0},
    {"99999999999999999999", false, 0},
};

START_TEST(integer_texts)
{
    for (size_t i = 0; i < sizeof integers / sizeof integers[0]; i++) {
        char text[KV_INTEGER_MAX];
        int64_t number = 0;
        bool good = kv_integer_parse(slice(integers[i].text), &number);
        ck_assert_msg(good == integers[i].good, "%s", integers[i].text);
        if (!good)
            continue;
        ck_assert_int_eq(number, integers[i].number);
        ck_assert_uint_eq(kv_integer_format(number, text), strlen(integers[i].text));
        ck_assert_mem_eq(text, integers[i].text, strlen(integers[i].text));
    }
}
END_TEST

START_TEST(doubles_read_back)
{
    struct random random = random_of(seed, 4);
    for (unsigned i = 0; i < 20000; i++) {
        union {
            uint64_t bits;
            double number;
        } any = {random_next(&random)};
        char text[KV_DOUBLE_MAX];
        double back = 0;
        if (isnan(any.number))
            continue;
        size_t length = kv_double_format(any.number, text);
        ck_assert(kv_double_parse((struct kv_slice){text, length}, &back));
        ck_assert(back == any.number);
    }
}
END_TEST

int main(int argc, char **argv)
{
    seed = random_start(argc, argv);
    Suite *suite = suite_create("kvserver values");
    TCase *values = tcase_create("values");
    tcase_add_test(values, lists);
    tcase_add_test(values, queue_stays_low);
    tcase_add_test(values, popped_elements_are_let_go);
    tcase_add_test(values, tries);
    tcase_add_test(values, orders);
    tcase_add_test(values, order_of_ascending_scores);
    tcase_set_timeout(values, 120);
    suite_add_tcase(suite, values);
    TCase *texts = tcase_create("texts");
    tcase_add_test(texts, patterns);
    tcase_add_test(texts, pattern_of_many_stars);
    tcase_add_test(texts, integer_texts);
    tcase_add_test(texts, doubles_read_back);
    suite_add_tcase(suite, texts);
    return run_suite(suite);
}
