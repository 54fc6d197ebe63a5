/* SPDX-License-Identifier: MIT */
/* Keeping shared objects loaded: the loader is asked for another reference, which is never given
 * back, and for RTLD_NODELETE besides.
 *
 * A program that is linked statically has no loader, and no reference to it may make the linker
 * look for one: all are weak. */
#include "base/module.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stddef.h>

#include "base/fatal.h"

#pragma weak dlopen
#pragma weak dlinfo
#pragma weak dlerror

/* The loaded object that has the address; NULL: none. */
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 35) && !defined(TRI__NO_FIND_OBJECT)
#pragma weak _dl_find_object

/* Without the loader's lock: of most addresses that is all. */
static const struct link_map *map_of(const void *address)
{
    struct dl_find_object found;

    if (_dl_find_object == NULL || _dl_find_object((void *)(uintptr_t)address, &found) != 0)
        return NULL;
    return found.dlfo_link_map;
}
#elif defined(__GLIBC__)
#pragma weak dladdr1

static const struct link_map *map_of(const void *address)
{
    Dl_info info;
    void *map = NULL;

    return dladdr1 != NULL && dladdr1(address, &info, &map, RTLD_DL_LINKMAP) != 0 ? map : NULL;
}
#else
/* Of other C libraries for Linux none unloads anything. */
static const struct link_map *map_of(const void *address)
{
    (void)address;
    return NULL;
}
#endif

/* By its name: the loader compares that with the names of what it has loaded before it looks for a
 * file, so it does not matter what has become of the file. */
static bool reopen(const struct link_map *map)
{
    void *handle = dlopen(map->l_name, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
    struct link_map *opened = NULL;

    return handle != NULL && dlinfo(handle, RTLD_DI_LINKMAP, &opened) == 0 && opened == map;
}

int tri__module_pin(const void *address)
{
    const struct link_map *map = map_of(address);

    if (map == NULL || map->l_name[0] == '\0' || dlopen == NULL) /* no name: the program itself */
        return 0;
    if (reopen(map))
        return 0;
    tri__warn("%s cannot be kept loaded, though the heap uses it; it must not be closed",
              map->l_name);
    return -EBUSY;
}
