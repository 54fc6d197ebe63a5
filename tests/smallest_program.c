#include <tricolor.h>

typedef struct node { struct node *left, *right; long key; } node;
TRI_TYPE(node, left, right);                 /* which words are pointers */

int main(void)
{
    if (tri_init(NULL) != 0) return 1;
    node *root = tri_new(node);              /* zeroed; kept alive by the stack */
    tri_store(&root->left, tri_new(node));   /* a pointer store into the heap */
    tri_collect();
    return root->left ? 0 : 1;
}
