/* SPDX-License-Identifier: MIT */
/* tests/known_faults.c: one bug for each sanitizer, so that a sanitized build can prove that its sanitizer is awake. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 1000 };

static int shared_counter;

static void *count_without_lock(void *unused)
{
    (void)unused;
    for (volatile int i = 0; i < ROUNDS; i++)
        shared_counter++;
    return NULL;
}

static int race(void)
{
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, count_without_lock, NULL) != 0)
            return 2;
    for (int i = 0; i < 2; i++)
        if (pthread_join(threads[i], NULL) != 0)
            return 2;
    return shared_counter < 0;
}

static int overrun(void)
{
    volatile size_t size = 16;
    volatile char *bytes = malloc(size);
    if (bytes == NULL)
        return 2;
    char behind = bytes[size];
    free((void *)bytes);
    return behind == 0 ? 0 : 3;
}

static int overflow(void)
{
    volatile int number = 0x7fffffff;
    number = number + 1;
    return number < 0 ? 0 : 3;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "thread") == 0)
        return race();
    if (argc == 2 && strcmp(argv[1], "address") == 0)
        return overrun();
    if (argc == 2 && strcmp(argv[1], "undefined") == 0)
        return overflow();
    fprintf(stderr, "usage: %s thread|address|undefined\n", argv[0]);
    return 2;
}
