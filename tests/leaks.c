/* SPDX-License-Identifier: MIT */
/* Ends without tri_shutdown while tables of threads and of roots are still waiting to be freed, each
 * behind a thread's block, and while an object lives that has a mask of its own. With an argument it
 * loses memory of its own, which must be noticed. */
#include <stdlib.h>

#include <tricolor.h>

#define THREADS 4
#define ROUNDS 20
#define WORDS ((size_t)1 << 20) /* of the large object, all pointers */

typedef struct node {
    struct node *next;
} node;
TRI_TYPE(node, next);

static void *attach(void *argument)
{
    return tri_new(node) == NULL ? argument : NULL;
}

static int start_and_join(void)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        if (tri_thread_create(&threads[i], NULL, attach, &threads[i]) != 0)
            return 1;
    for (int i = 0; i < THREADS; i++) {
        void *failed = NULL;

        TRI_BLOCKING pthread_join(threads[i], &failed);
        if (failed != NULL)
            return 1;
    }
    return 0;
}

/* One 1 and (8191 << 7 | 127) = WORDS - 1 more of them. */
static void *new_large(void)
{
    static const uint8_t all[] = {TRI_GC_LITERAL(1), 0x01, TRI_GC_REPEAT(1), 0xff, 0xff, 0x3f,
                                  TRI_GC_END};
    static tri_type large;

    if (tri_type_build(&large, &(tri_type_desc){.name = "large",
                                                .size = WORDS * sizeof(void *),
                                                .program = {all, sizeof all}}) != 0)
        return NULL;
    return tri_alloc(&large);
}

int main(int argc, char **argv)
{
    static void *roots[ROUNDS], *large;
    void *volatile lost = argc > 1 ? malloc(4711) : NULL;

    (void)argv;
    lost = NULL;
    if (tri_init(NULL) != 0)
        return 2;
    for (int i = 0; i < ROUNDS; i++)
        if (start_and_join() != 0 || tri_root_add(&roots[i], &tri_type_ptr, 1) != 0)
            return 3;
    large = new_large();
    return lost != NULL || large == NULL;
}
