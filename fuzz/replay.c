/* SPDX-License-Identifier: MIT */
/* A main for harnesses without libFuzzer: it runs each input it is given once. Arguments are files
 * and folders of files; without any it takes fuzz/corpus/<name of the program>. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz/fuzz.h"

#define SKIPPED 77

static size_t inputs;

static void fail(const char *path)
{
    perror(path);
    exit(EXIT_FAILURE);
}

/* The path is printed first, because a finding ends the program. An input has exactly its size, so
 * that a sanitizer sees when it is left. */
static void run_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(size + (size == 0));

    if (file == NULL || data == NULL || fread(data, 1, size, file) != size)
        fail(path);
    fclose(file);
    printf("%s\n", path);
    fflush(stdout);
    LLVMFuzzerTestOneInput(data, size);
    inputs++;
    free(data);
}

static void run_path(const char *path);

static void run_folder(const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);

    if (count < 0)
        fail(path);
    for (int i = 0; i < count; i++) {
        char name[4096];

        snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.')
            run_path(name);
        free(entries[i]);
    }
    free(entries);
}

static void run_path(const char *path)
{
    struct stat status;

    if (stat(path, &status) != 0)
        fail(path);
    if (S_ISDIR(status.st_mode))
        run_folder(path);
    else
        run_file(path, (size_t)status.st_size);
}

/* The corpus of the harness that the program is named after. */
static void run_corpus(const char *program)
{
    const char *source = getenv("TRI_SRCDIR"), *slash = strrchr(program, '/');
    char path[4096];
    struct stat status;

    snprintf(path, sizeof path, "%s/fuzz/corpus/%s", source != NULL ? source : ".",
             slash != NULL ? slash + 1 : program);
    if (stat(path, &status) != 0) {
        printf("SKIP: no %s\n", path);
        exit(SKIPPED);
    }
    run_path(path);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        run_path(argv[i]);
    if (argc == 1)
        run_corpus(argv[0]);
    printf("%s: %zu inputs\n", argv[0], inputs);
    return inputs != 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
