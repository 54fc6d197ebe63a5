/* SPDX-License-Identifier: MIT */
/* Keeping shared objects loaded: the loader is asked for another reference, which is never given
 * back, and for RTLD_NODELETE besides.
 *
 * A program that is linked statically has no loader, and no reference to it may make the linker
 * look for one: all are weak. */
#include "base/module.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/auxv.h>

#include "base/fatal.h"

#pragma weak dlopen
#pragma weak dlinfo
#pragma weak dlerror

/* What is known of the loaded object that has the address. A copy: another thread may be closing it. */
struct found {
    uintptr_t address;
    uintptr_t bias;
    char name[PATH_MAX]; /* "": the program itself, or there is none */
};

static bool has_address(const struct dl_phdr_info *info, uintptr_t address)
{
    for (unsigned i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD &&
            address - (info->dlpi_addr + info->dlpi_phdr[i].p_vaddr) < info->dlpi_phdr[i].p_memsz)
            return true;
    return false;
}

static int look_at(struct dl_phdr_info *info, size_t size, void *argument)
{
    struct found *found = argument;

    (void)size;
    if (!has_address(info, found->address))
        return 0;
    found->bias = info->dlpi_addr;
    snprintf(found->name, sizeof found->name, "%s", info->dlpi_name);
    return 1;
}

/* Meanwhile nothing is unmapped, and no constructor is waited for. false: there is none. */
static bool find(struct found *found, const void *address)
{
    found->address = (uintptr_t)address;
    found->name[0] = '\0';
    return dl_iterate_phdr(look_at, found) != 0;
}

/* By its name: the loader compares that with the names of what it has loaded before it looks for a
 * file, so it does not matter what has become of the file. */
static bool reopen(const struct found *found)
{
    void *handle = dlopen(found->name, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
    struct link_map *opened = NULL;

    return handle != NULL && dlinfo(handle, RTLD_DI_LINKMAP, &opened) == 0 &&
           opened->l_addr == found->bias;
}

int tri__module_pin(const void *address)
{
    struct found found;

    if (!find(&found, address) || found.name[0] == '\0' || dlopen == NULL)
        return 0;
    if (reopen(&found))
        return 0;
    if (!find(&found, address)) /* it was being closed, and is gone */
        return 0;
    tri__warn("%s cannot be kept loaded, though the heap uses it; it must not be closed",
              found.name);
    return -EBUSY;
}

/* By what the kernel says, so without a lock. */
bool tri__module_is_program(const void *address)
{
    const ElfW(Phdr) *headers = (const ElfW(Phdr) *)getauxval(AT_PHDR); /* NOLINT: an address */
    struct dl_phdr_info program = {.dlpi_phdr = headers,
                                   .dlpi_phnum = (ElfW(Half))getauxval(AT_PHNUM)};

    for (unsigned i = 0; headers != NULL && i < program.dlpi_phnum; i++)
        if (headers[i].p_type == PT_PHDR)
            program.dlpi_addr = (uintptr_t)headers - headers[i].p_vaddr;
    return headers != NULL && has_address(&program, (uintptr_t)address);
}
