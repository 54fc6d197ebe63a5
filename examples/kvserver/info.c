/* SPDX-License-Identifier: MIT */
/* INFO: the server's numbers, and the collector's. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "command.h"
#include "reply.h"
#include "server.h"

#define KIB 1024.0
#define MIB (1024.0 * 1024.0)

/* redis_version tells client libraries which dialect to expect. */
static void server_section(FILE *out, const struct kv_server_counts *server)
{
    fprintf(out,
            "redis_version:7.0.0\r\n"
            "redis_mode:standalone\r\n"
            "server_name:tricolor-kvserver\r\n"
            "process_id:%d\r\n"
            "tcp_port:%u\r\n"
            "worker_threads:%u\r\n"
            "uptime_in_seconds:%" PRIu64 "\r\n",
            (int)getpid(), server->port, server->threads, server->uptime);
}

static void clients_section(FILE *out, const struct kv_server_counts *server)
{
    fprintf(out, "connected_clients:%" PRIu64 "\r\nblocked_clients:0\r\n", server->clients);
}

static void memory_section(FILE *out, const tri_stats *gc)
{
    fprintf(out,
            "used_memory:%" PRIu64 "\r\n"
            "used_memory_human:%.2fM\r\n"
            "used_memory_rss:%" PRIu64 "\r\n"
            "used_memory_rss_human:%.2fM\r\n"
            "maxmemory:0\r\n",
            gc->heap_bytes, (double)gc->heap_bytes / MIB, gc->resident_bytes,
            (double)gc->resident_bytes / MIB);
}

static void stats_section(FILE *out, const struct kv_server_counts *server)
{
    fprintf(out,
            "total_connections_received:%" PRIu64 "\r\n"
            "total_commands_processed:%" PRIu64 "\r\n",
            server->connections, server->requests);
}

static void keyspace_section(FILE *out)
{
    for (unsigned i = 0; i < KV_DATABASES; i++) {
        struct kv_keyspace_counts counts = kv_keyspace_counts(i);

        if (counts.keys != 0)
            fprintf(out, "db%u:keys=%zu,expires=%zu,avg_ttl=0\r\n", i, counts.keys,
                    counts.expiring);
    }
}

static double average_us(uint64_t ns, uint64_t count)
{
    return count != 0 ? (double)ns / (double)count / 1e3 : 0;
}

/* How many delays there were of up to 1, 2, 4, ... nanoseconds. */
static void bucket_line(FILE *out, const char *name, const tri_delay *delay)
{
    fprintf(out, "gc_delay_buckets_%s:", name);
    for (unsigned i = 0; i < TRI_DELAY_BUCKETS; i++)
        fprintf(out, "%s%" PRIu64, i == 0 ? "" : ",", delay->buckets[i]);
    fputs("\r\n", out);
}

/* Every delay the collector caused to one of the server's threads, by its cause. */
static void delay_lines(FILE *out, const tri_stats *gc)
{
    for (unsigned cause = 0; cause < TRI_DELAY_CAUSES; cause++) {
        const tri_delay *delay = &gc->delays[cause];

        fprintf(out,
                "gc_delay_%s:count=%" PRIu64 ",total_ms=%.3f,p50_us=%.1f,p99_us=%.1f,"
                "p999_us=%.1f,max_us=%.1f\r\n",
                tri_delay_name((tri_delay_cause)cause), delay->count, (double)delay->total_ns / 1e6,
                (double)delay->p50_ns / 1e3, (double)delay->p99_ns / 1e3,
                (double)delay->p999_ns / 1e3, (double)delay->max_ns / 1e3);
        bucket_line(out, tri_delay_name((tri_delay_cause)cause), delay);
    }
}

static void gc_section(FILE *out, const tri_stats *gc)
{
    fprintf(out,
            "gc_cycles:%" PRIu64 "\r\n"
            "gc_forced_cycles:%" PRIu64 "\r\n"
            "gc_threads:%" PRIu64 "\r\n"
            "gc_heap_bytes:%" PRIu64 "\r\n"
            "gc_heap_goal:%" PRIu64 "\r\n"
            "gc_live_bytes:%" PRIu64 "\r\n"
            "gc_mapped_bytes:%" PRIu64 "\r\n"
            "gc_allocated_bytes:%" PRIu64 "\r\n"
            "gc_freed_bytes:%" PRIu64 "\r\n"
            "gc_mark_ms:%.3f\r\n"
            "gc_mark_rounds:%" PRIu64 "\r\n"
            "gc_marked_objects:%" PRIu64 "\r\n"
            "gc_barrier_entries:%" PRIu64 "\r\n"
            "gc_assists:%" PRIu64 "\r\n"
            "gc_handshakes:count=%" PRIu64 ",mean_us=%.1f,max_us=%.1f\r\n",
            gc->cycles, gc->forced_cycles, gc->threads, gc->heap_bytes, gc->heap_goal,
            gc->live_bytes, gc->mapped_bytes, gc->allocated_bytes, gc->freed_bytes,
            (double)gc->mark_ns / 1e6, gc->mark_rounds, gc->marked_objects, gc->barrier_entries,
            gc->assists, gc->handshakes, average_us(gc->handshake_ns, gc->handshakes),
            (double)gc->handshake_max_ns / 1e3);
    delay_lines(out, gc);
}

/* ---- which sections ---- */

static bool wants(const struct kv_client *client, const char *section)
{
    if (kv_argument_count(client) == 1)
        return true;
    for (size_t i = 1; i < kv_argument_count(client); i++) {
        if (kv_argument_is(client, i, section) || kv_argument_is(client, i, "all") ||
            kv_argument_is(client, i, "default") || kv_argument_is(client, i, "everything"))
            return true;
    }
    return false;
}

/* Writes the title of a section if the client wants it. */
static bool begin(const struct kv_client *client, FILE *out, const char *section, const char *title)
{
    if (!wants(client, section))
        return false;
    fprintf(out, "%s# %s\r\n", ftell(out) > 0 ? "\r\n" : "", title);
    return true;
}

static void write_sections(const struct kv_client *client, FILE *out)
{
    struct kv_server_counts server = kv_server_counts();
    tri_stats gc = TRI_STATS_INIT;

    tri_stats_get(&gc);
    if (begin(client, out, "server", "Server"))
        server_section(out, &server);
    if (begin(client, out, "clients", "Clients"))
        clients_section(out, &server);
    if (begin(client, out, "memory", "Memory"))
        memory_section(out, &gc);
    if (begin(client, out, "stats", "Stats"))
        stats_section(out, &server);
    if (begin(client, out, "keyspace", "Keyspace"))
        keyspace_section(out);
    if (begin(client, out, "gc", "GC"))
        gc_section(out, &gc);
}

void kv_info_command(struct kv_client *client)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    if (out == NULL) {
        kv_reply_no_memory(client);
        return;
    }
    write_sections(client, out);
    if (fclose(out) == 0)
        kv_reply_bulk(client, (struct kv_slice){text, length});
    else
        kv_reply_no_memory(client);
    free(text);
}
