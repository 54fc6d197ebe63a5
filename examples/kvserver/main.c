/* SPDX-License-Identifier: MIT */
/* kvserver: an in-memory store that speaks the Redis protocol, with all its data in tricolor's
 * heap. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "hash.h"
#include "keyspace.h"
#include "server.h"

#define THREADS_MAX 256

struct options {
    struct kv_server_options server;
    tri_config gc;
};

static void print_usage(FILE *out)
{
    fprintf(out,
            "usage: kvserver [option]...\n"
            "An in-memory store for clients of Redis.\n"
            "  -b, --bind ADDRESS      listen there; \"\" for all addresses (127.0.0.1)\n"
            "  -p, --port PORT         and there; 0 for one that is free (6379)\n"
            "  -t, --threads N         worker threads (one a CPU)\n"
            "  -g, --gc-percent N      garbage allowed on top of the live heap (100)\n"
            "  -m, --markers N         marker threads of the collector (a quarter of the CPUs)\n"
            "  -h, --help              this text\n"
            "The collector's own settings: TRICOLOR_TRACE=gc for a line a cycle, and others.\n");
}

/* The number in optarg; ends the program if it is none or out of range. */
static long number_option(const char *name, long low, long high)
{
    char *end;
    long number = strtol(optarg, &end, 10);

    if (end != optarg && *end == '\0' && number >= low && number <= high)
        return number;
    fprintf(stderr, "kvserver: --%s must be a number from %ld to %ld\n", name, low, high);
    exit(2);
}

static unsigned online_cpus(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    return cpus < 1 ? 1 : cpus > THREADS_MAX ? THREADS_MAX : (unsigned)cpus;
}

static void parse_options(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {
        {"bind", required_argument, NULL, 'b'},
        {"port", required_argument, NULL, 'p'},
        {"threads", required_argument, NULL, 't'},
        {"gc-percent", required_argument, NULL, 'g'},
        {"markers", required_argument, NULL, 'm'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "b:p:t:g:m:h", names, NULL)) != -1) {
        switch (option) {
        case 'b':
            options->server.address = optarg;
            break;
        case 'p':
            number_option("port", 0, 65535);
            options->server.port = optarg;
            break;
        case 't':
            options->server.threads = (unsigned)number_option("threads", 1, THREADS_MAX);
            break;
        case 'g':
            options->gc.gc_percent = (int)number_option("gc-percent", -1, INT_MAX);
            break;
        case 'm':
            options->gc.markers = (unsigned)number_option("markers", 0, THREADS_MAX);
            break;
        case 'h':
            print_usage(stdout);
            exit(0);
        default:
            print_usage(stderr);
            exit(2);
        }
    }
    if (optind != argc) {
        print_usage(stderr);
        exit(2);
    }
}

/* A descriptor that becomes readable when the server shall stop. Before any thread is started: all
 * of them must block these signals. */
static int open_stop_signals(void)
{
    sigset_t stop;

    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    if (pthread_sigmask(SIG_BLOCK, &stop, NULL) != 0)
        return -1;
    return signalfd(-1, &stop, SFD_CLOEXEC);
}

/* As many connections as the system allows. */
static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void fail(const char *what, int error)
{
    fprintf(stderr, "kvserver: %s: %s\n", what, strerror(error));
    exit(1);
}

static void serve(const struct kv_server_options *options, int signals)
{
    if (kv_server_start(options) != 0)
        exit(1);
    printf("kvserver: listening on %s port %u, %u threads\n", options->address,
           kv_server_counts().port, options->threads);
    fflush(stdout);
    kv_server_run(signals);
    kv_server_stop();
    printf("kvserver: stopped\n");
}

int main(int argc, char **argv)
{
    struct options options = {
        .server = {.address = "127.0.0.1", .port = "6379", .threads = online_cpus()},
        .gc = TRI_CONFIG_INIT,
    };
    int signals, error;

    parse_options(argc, argv, &options);
    signals = open_stop_signals();
    if (signals < 0)
        fail("signals", errno);
    raise_file_limit();
    error = kv_hash_init();
    if (error != 0)
        fail("random numbers", -error);
    error = tri_init(&options.gc);
    if (error != 0)
        fail("the heap", -error);
    kv_keyspace_init();
    serve(&options.server, signals);
    tri_shutdown();
    close(signals);
    return 0;
}
