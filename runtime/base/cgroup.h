/* SPDX-License-Identifier: MIT */
/* The memory limit of the control group this process runs in: what a container may use. */
#ifndef TRI__BASE_CGROUP_H
#define TRI__BASE_CGROUP_H

#include <stddef.h>

/* Bytes; SIZE_MAX when there is no limit or it cannot be read. The least of all groups up to
 * the root (cgroup v2, or v1). */
size_t tri__cgroup_memory_limit(void);

#endif
