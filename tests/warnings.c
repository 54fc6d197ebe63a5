/* SPDX-License-Identifier: MIT */
/* Every public macro that declares something, nested in itself and in the others, in what C11 and
 * C++17 have in common. Compiled with all warnings, never run. */
#include <tricolor.h>

typedef struct node {
    struct node *left, *right;
    uintptr_t tagged;
} node;

TRI_EXTERN_TYPE(node);
TRI_TYPE(node, left, right, tagged);

TRI_ROOT static node *root;
TRI_ROOT static node *second;

int main(void)
{
    tri_config config = TRI_CONFIG_INIT;
    tri_stats before = TRI_STATS_INIT, after = TRI_STATS_INIT;
    node *top, *expected = NULL;

    if (tri_init(&config) != 0 || tri_stats_get(&before) != 0)
        return 1;
    top = tri_new(node);
    tri_init_store(&top->left, tri_exchange(&root, tri_new(node)));
    tri_store(&top->right, tri_exchange(&root, tri_exchange(&second, top)));
    tri_store_release(&top->tagged, (uintptr_t)tri_exchange(&root, tri_new_array(node, 2)) | 1);
    if (tri_compare_exchange(&second, &expected, tri_exchange(&root, NULL)))
        return 1;
    TRI_BLOCKING {
        TRI_BLOCKING
            TRI_BLOCKING
                TRI_BLOCKING {}
    }
    tri_copy(node, top, tri_exchange(&root, top), 1);
    tri_shutdown();
    return tri_stats_get(&after) == 0 && after.cycles < before.cycles;
}
