/* SPDX-License-Identifier: MIT */
/* The end of types of tri_type_build(): when nothing refers to one any more, its memory goes.
 *
 * Threads: tri_type_retire() any; the review is the coordinator's.
 * See: docs/architecture.md "Types made at run time", [inv.type.retire] */
#ifndef TRI__LAYOUT_TYPE_RETIRE_H
#define TRI__LAYOUT_TYPE_RETIRE_H

#include "layout/type_build.h"

/* Frees the types that were retired before the last review and not met since, and begins to watch
 * for those that were retired after it. The coordinator calls it in each cycle when all have
 * answered H1 and none was asked for H2. */
void tri__retired_types_review(void);

/* Has the review anything to watch for? If not, types need not be met. */
bool tri__retired_types_are_watched(void);

/* Between these two there is a heap, and `withdraw` is called for each type that is retired: it
 * shall get no more spans of its own. Outside, a type is gone as soon as it is retired; closing
 * ends all that are still waited for. */
void tri__retired_types_open(void (*withdraw)(const tri_type *type));
void tri__retired_types_close(void);

/* Around a fork. In the child, before the first cycle: what is watched for counts as met. */
void tri__retired_types_before_fork(void);
void tri__retired_types_after_fork(void);
void tri__retired_types_keep(void);

#endif
