/* SPDX-License-Identifier: MIT */
/* What tri_dump_object, tri_dump_span and the dump of an iterator say, word for word. */
#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "collected.h"
#include "dumped_types.h"
#include "heap/arena_chunk.h"
#include "heap/dump.h"
#include "hot.h"
#include "layout/dump.h"
#include "suite.h"

typedef struct board { /* no mask of it is in its page */
    node *pieces[95];
    long moves;
} board;
TRI_TYPE(board, pieces);

static char text[16384];

/* What the function writes is left in `text`. */
static void dump(void (*function)(const void *p, int fd), const void *p)
{
    int file = memfd_create("dump", 0);
    ssize_t length;

    ck_assert_int_ge(file, 0);
    function(p, file);
    length = pread(file, text, sizeof text - 1, 0);
    ck_assert_int_ge(length, 0);
    text[length] = '\0';
    close(file);
}

__attribute__((format(printf, 1, 2))) static void expect(const char *format, ...)
{
    static char want[sizeof text];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(want, sizeof want, format, arguments);
    va_end(arguments);
    ck_assert_str_eq(text, want);
}

static size_t address_of(const void *p)
{
    return (size_t)p;
}

/* ---- objects ---- */

START_TEST(bitmap_object)
{
    start_quiet();
    node *n = tri_new(node), *other = tri_new(node);
    tri_store(&n->left, other);
    tri_store(&n->right, (node *)(void *)&other->key);
    n->key = (long)address_of(other);
    dump(tri_dump_object, &n->right);
    expect("bitmap object %#zx: 32 bytes in a slot of 32, white; slot 0 of span %#zx\n"
           "  type     not recorded\n"
           "  layout   1100\n"
           "         0 * 0x%016zx  -> bitmap object %#zx + 0 (32 bytes)\n"
           "  >      1 * 0x%016zx  -> bitmap object %#zx + 16 (32 bytes)\n"
           "         2 . 0x%016zx  ~> bitmap object %#zx + 0 (32 bytes)\n"
           "         3 . 0x0000000000000000\n",
           address_of(n), address_of(n), address_of(other), address_of(other),
           address_of(&other->key), address_of(other), address_of(other), address_of(other));
}
END_TEST

START_TEST(footer_object)
{
    start_quiet();
    node *a = tri_new_array(node, 100);
    a[30].key = 7;
    tri_store(&a[31].left, (node *)(void *)text);
    dump(tri_dump_object, &a[31]);
    expect("footer object %#zx: 2680 bytes in a slot of 2688, white; slot 0 of span %#zx\n"
           "  type     'node' (size 24, pointers in the first 16 bytes)\n"
           "  layout   10110110 11011011 01101101 10110110 11011011 01101101 10110110 11011011\n"
           "        64   to 91: zero\n"
           "        92 . 0x0000000000000007\n"
           "  >     93 * 0x%016zx  -> not in the heap\n"
           "        94   to 127: zero\n"
           "    words 64 to 127 of 335\n",
           address_of(a), address_of(a), address_of(text));
}
END_TEST

START_TEST(large_objects)
{
    start_quiet();
    list *l = tri_new_flex(list, 10000);
    dump(tri_dump_object, l);
    expect("large object %#zx: 81920 bytes in a slot of 81920, white; slot 0 of span %#zx\n"
           "  type     'list' (size 8, no pointers; tail of 'pointer', size 8, pointers in the "
           "first 8 bytes)\n"
           "  layout   01111111 11111111 11111111 11111111 11111111 11111111 11111111 11111111\n"
           "         0   to 63: zero\n"
           "    words 0 to 63 of 10240\n",
           address_of(l), address_of(l));
    void *leaf = tri_alloc_bytes(100000);
    dump(tri_dump_object, leaf);
    expect("large object %#zx: 106496 bytes in a slot of 106496, white; slot 0 of span %#zx\n"
           "  type     none\n"
           "  layout   00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000\n"
           "         0   to 63: zero\n"
           "    words 0 to 63 of 13312\n",
           address_of(leaf), address_of(leaf));
}
END_TEST

START_TEST(leaf_object)
{
    start_quiet();
    char *s = tri_strdup("0123456789abcdef");
    dump(tri_dump_object, s + 8);
    expect("leaf object %#zx: 32 bytes in a slot of 32, white; slot 0 of span %#zx\n"
           "  type     'bytes' (size 1, no pointers)\n"
           "  layout   0000\n"
           "         0 . 0x3736353433323130\n"
           "  >      1 . 0x6665646362613938\n"
           "         2 . 0x0000000000000000\n"
           "         3 . 0x0000000000000000\n",
           address_of(s), address_of(s));
}
END_TEST

START_TEST(addresses_of_nothing)
{
    start_quiet();
    char *n = (char *)tri_new(node);
    dump(tri_dump_object, text);
    expect("%p: not in the heap\n", (void *)text);
    dump(tri_dump_object, NULL);
    expect("%p: not in the heap\n", NULL);
    dump(tri_dump_object, n + 8000);
    expect("%p: in the heap, in no slot\n", (void *)(n + 8000));
    dump(tri_dump_span, text);
    expect("%p: in no span\n", (void *)text);
    dump(tri_dump_span, n + ((size_t)1 << 30));
    expect("%p: in no span\n", (void *)(n + ((size_t)1 << 30)));
}
END_TEST

START_TEST(arena_objects)
{
    start_quiet();
    tri_arena *arena = tri_arena_new();
    node *n = tri_arena_alloc(arena, &tri_type_node);
    list *l = tri_arena_alloc_flex(arena, &tri_type_list, 5);
    tri_store(&l->items[2], n);
    dump(tri_dump_object, &l->items[2]);
    expect("arena object %#zx: 48 bytes of arena 1 (live), in the chunk at %#zx\n"
           "  type     'list' (size 8, no pointers; tail of 'pointer', size 8, pointers in the "
           "first 8 bytes)\n"
           "  layout   011111\n"
           "         0 . 0x0000000000000000\n"
           "         1 * 0x0000000000000000\n"
           "         2 * 0x0000000000000000\n"
           "  >      3 * 0x%016zx  -> arena object %#zx + 0 (24 bytes)\n"
           "         4 * 0x0000000000000000\n"
           "         5 * 0x0000000000000000\n",
           address_of(l), address_of(n), address_of(n), address_of(n));
    dump(tri_dump_object, (char *)n + 40000);
    expect("%p: in no value of arena 1 (live), byte 40000 of its memory\n",
           (void *)((char *)n + 40000));
    dump(tri_dump_span, n);
    expect("arena span %#zx: span class %u, 8 pages, descriptor %p\n"
           "  slots    1 of 65536 bytes: 0 free, 0 white, 1 black; the next run from 0 on\n"
           "  arena    1 (live): 80 of 65536 bytes used, 2 entries in its log\n"
           "  bitmap   at %p\n"
           "  memory   free slots read zero\n"
           "  in       no list: it is an arena's\n"
           "  colours  . free, o white, # black\n"
           "       0  #\n",
           address_of(n), tri__span_at(address_of(n))->span_class,
           (void *)tri__span_at(address_of(n)),
           (void *)tri__arena_chunk_of(tri__span_at(address_of(n)))->bits);
    tri_arena_free(arena);
    dump(tri_dump_object, l);
    expect("%p: in no value of arena 1 (freed), byte 32 of its memory\n", (void *)l);
}
END_TEST

START_TEST(typed_object)
{
    start_quiet();
    tri_thread_attach();
    warm(&tri_type_node);
    node *n = tri_new(node), *other = tri_new(node);
    tri_store(&n->right, other);
    n->key = (long)address_of(&other->right);
    dump(tri_dump_object, &n->key);
    expect("typed object %#zx: 32 bytes in a slot of 32, white; slot 0 of span %#zx\n"
           "  type     'node' (size 24, pointers in the first 16 bytes)\n"
           "  layout   1100\n"
           "         0 * 0x0000000000000000\n"
           "         1 * 0x%016zx  -> typed object %#zx + 0 (32 bytes)\n"
           "  >      2 . 0x%016zx  ~> typed object %#zx + 8 (32 bytes)\n"
           "         3 . 0x0000000000000000\n",
           address_of(n), address_of(n), address_of(other), address_of(other),
           address_of(&other->right), address_of(other));
}
END_TEST

/* What was overwritten is told, not followed. */
START_TEST(a_broken_footer)
{
    start_quiet();
    node *a = tri_new_array(node, 100);
    size_t footer = tri_object_size(a);
    *(size_t *)(void *)((char *)a + footer) = 0x10;
    dump(tri_dump_object, a);
    expect("footer object %#zx: 2680 bytes in a slot of 2688, white; slot 0 of span %#zx\n"
           "  type     unreadable, at 0x10\n"
           "  layout   00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000\n"
           "         0   to 63: zero\n"
           "    words 0 to 63 of 335\n",
           address_of(a), address_of(a));
}
END_TEST

START_TEST(a_closed_descriptor)
{
    start_quiet();
    node *n = tri_new(node);
    errno = EXDEV;
    tri_dump_object(n, -1);
    tri_dump_span(n, -1);
    ck_assert_int_eq(errno, EXDEV);
}
END_TEST

/* ---- spans ---- */

START_TEST(bitmap_span)
{
    start_quiet();
    char *p = tri_alloc_array(&tri_type_ptr, 60);
    tri_alloc_array(&tri_type_ptr, 60);
    dump(tri_dump_span, p + 5000);
    expect("bitmap span %#zx: span class %u, 1 page, descriptor %p\n"
           "  slots    16 of 480 bytes: 0 free, 16 white, 0 black; the next run from 16 on\n"
           "  bitmap   at %p\n"
           "  memory   free slots read zero\n"
           "  in       the calling thread's cache, which has slots 2 to 15 to hand out yet\n"
           "  colours  . free, o white, # black\n"
           "       0  oooooooo oooooooo\n",
           address_of(p), tri__span_at(address_of(p))->span_class,
           (void *)tri__span_at(address_of(p)), (void *)tri__span_at(address_of(p))->bits);
}
END_TEST

START_TEST(a_span_after_a_collection)
{
    static struct hidden hidden[16];

    start_quiet();
    char *p = tri_alloc_array(&tri_type_ptr, 60);
    for (int i = 0; i < 8; i++)
        hidden[i] = hide(tri_alloc_array(&tri_type_ptr, 60));
    collect();
    dump(tri_dump_span, p);
    ck_assert_ptr_nonnull(strstr(text, "  memory   free slots may hold old bytes\n"));
    ck_assert_ptr_nonnull(strstr(text, "  in       the partial list of side 1\n"));
    ck_assert_ptr_nonnull(strstr(text, "\n       0  o"));
    ck_assert_ptr_nonnull(strstr(text, ". ......")); /* never handed out */
    ck_assert_ptr_nonnull(reveal(hidden[0]));
}
END_TEST

START_TEST(spans_of_all_colours)
{
    heap_is_left_wrong = true; /* paints slots as it likes */
    start_quiet();
    char *p = tri_alloc_array(&tri_type_ptr, 60);
    struct tri__span *span = tri__span_at(address_of(p));
    memcpy(span->colours, "\0\1\2\2\1\0\0\0\2\2\2\2\1\1\3", 15);
    dump(tri_dump_span, p);
    ck_assert_ptr_nonnull(strstr(text, ": 4 free, 5 white, 6 black;"));
    ck_assert_ptr_nonnull(strstr(text, "\n       0  .o##o... ####oo?o\n"));
}
END_TEST

START_TEST(large_span)
{
    start_quiet();
    list *l = tri_new_flex(list, 10000);
    dump(tri_dump_span, l->items + 5000);
    expect("large span %#zx: span class 1, 10 pages, descriptor %p\n"
           "  slots    1 of 81920 bytes: 0 free, 1 white, 0 black; the next run from 0 on\n"
           "  type     'list' (size 8, no pointers; tail of 'pointer', size 8, pointers in the "
           "first 8 bytes)\n"
           "  memory   free slots read zero\n"
           "  in       the full list of side 0\n"
           "  colours  . free, o white, # black\n"
           "       0  o\n",
           address_of(l), (void *)tri__span_at(address_of(l)));
}
END_TEST

START_TEST(typed_span)
{
    start_quiet();
    tri_thread_attach();
    warm(&tri_type_board);
    board *b = tri_new(board);
    tri_new(board);
    dump(tri_dump_span, &b->pieces[50]);
    expect("typed span %#zx: span class %u, 1 page, descriptor %p\n"
           "  slots    10 of 768 bytes: 0 free, 10 white, 0 black; the next run from 10 on\n"
           "  type     'board' (size 768, pointers in the first 760 bytes)\n"
           "  memory   free slots read zero\n"
           "  in       the calling thread's cache, which has slots 2 to 9 to hand out yet\n"
           "  colours  . free, o white, # black\n"
           "       0  oooooooo oo\n",
           address_of(b), tri__typed_class(&tri_type_board), (void *)tri__span_at(address_of(b)));
}
END_TEST

/* ---- iterators ---- */

static void dump_iterator(const void *it, int fd)
{
    tri__dump_type_pointers(it, fd);
}

START_TEST(iterators)
{
    struct tri__type_pointers it = tri__type_pointers_of_bits(0x1000, 0x89);

    dump(dump_iterator, &it);
    expect("  iterator in its last window\n"
           "    type     none\n"
           "    element  0\n"
           "    address  0x1000\n"
           "    limit    0xffffffffffffffff\n"
           "    mask     10010001 00000000 00000000 00000000 00000000 00000000 00000000 00000000\n"
           "    left     0x1000 0x1018 0x1038\n");
    it = tri__type_pointers_of_type(&tri_type_node, 0x1000, 0x1020);
    dump(dump_iterator, &it);
    expect("  iterator over elements of up to 64 words\n"
           "    type     'node' (size 24, pointers in the first 16 bytes)\n"
           "    element  0x1000\n"
           "    address  0x1000\n"
           "    limit    0x1020\n"
           "    mask     11010000 00000000 00000000 00000000 00000000 00000000 00000000 00000000\n"
           "    pattern  11011011 01101101 10110110 11011011 01101101 10110110 11011011 01101100"
           " in windows of 504 bytes\n"
           "    left     0x1000 0x1008 0x1018\n");
    while (tri__type_pointers_next(&it) != 0)
        continue;
    dump(dump_iterator, &it);
    ck_assert_ptr_nonnull(strstr(text, "  iterator at its end\n"));
    ck_assert_ptr_nonnull(strstr(text, "    left     nothing\n"));
}
END_TEST

START_TEST(an_iterator_with_much_left)
{
    struct tri__type_pointers it = tri__type_pointers_of_type(&tri_type_ptr, 0x1000, 0x100000000);

    ck_assert_uint_eq(tri__type_pointers_next(&it), 0x1000);
    dump(dump_iterator, &it);
    ck_assert_ptr_nonnull(strstr(text, "    left     0x1008 0x1010 0x1018 0x1020\n"
                                       "             0x1028 "));
    ck_assert_ptr_nonnull(strstr(text, " 0x1100 and more\n"));
    ck_assert_uint_eq(tri__type_pointers_next(&it), 0x1008); /* it stays where it is */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dump");
    TCase *tests = tcase_create("dump");
    tcase_add_test(tests, bitmap_object);
    tcase_add_test(tests, footer_object);
    tcase_add_test(tests, large_objects);
    tcase_add_test(tests, leaf_object);
    tcase_add_test(tests, addresses_of_nothing);
    tcase_add_test(tests, arena_objects);
    tcase_add_test(tests, typed_object);
    tcase_add_test(tests, a_broken_footer);
    tcase_add_test(tests, a_closed_descriptor);
    tcase_add_test(tests, bitmap_span);
    tcase_add_test(tests, a_span_after_a_collection);
    tcase_add_test(tests, spans_of_all_colours);
    tcase_add_test(tests, large_span);
    tcase_add_test(tests, typed_span);
    tcase_add_test(tests, iterators);
    tcase_add_test(tests, an_iterator_with_much_left);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
