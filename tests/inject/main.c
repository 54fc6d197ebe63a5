/* SPDX-License-Identifier: MIT */
/* tests/inject/main.c: fails each call of each scenario in turn, once and from then on, each time
 * in a child process, and sees what comes of it.
 *
 *     inject [--all] [--sample K] [SCENARIO [CALL [N [once|sticky]]]]
 *     inject --names
 *
 * Without --all of many calls the first, and then fewer and fewer, fail; --sample K does one in K
 * of these. CALL is a row's name, as printed. --names: the calls of the table, for the script that
 * compares them with the library's imports. Exit status: 0: all was as documented.
 *
 * A child runs the scenario three times: with the fault; without it, on the same heap, which is
 * tried by itself, too; and anew from tri_init on. What it holds then must be what a child holds
 * that had no fault. */
#include "inject.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <tricolor.h>

#include "../sanitized.h"

#define CHILD_SECONDS 120
#define TEXT_BYTES 8192
#define MANY 4000 /* calls of a kind, more than which nobody waits for */
#define EXIT_WRONG 3

static struct {
    bool all;
    unsigned sample;
    const char *scenario, *row;
    uint64_t number;
    const char *how;
} options = {.sample = 1};

static struct {
    unsigned runs, absorbed, errors, fatal, wrong;
} sum;

static unsigned tried; /* for the sample */

/* ---- in the child ---- */

_Noreturn void inject_wrong(const char *file, int line, const char *what)
{
    inject_disarm();
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
    inject->end = INJECT_WRONG;
    _exit(EXIT_WRONG);
}

static void check_heap(void)
{
    INJECT_MUST(tri_heap_check() == 0);
}

static bool is_initialized(void)
{
    tri_stats stats = TRI_STATS_INIT;

    return tri_stats_get(&stats) == 0 && stats.mapped_bytes != 0;
}

static void try_heap(void)
{
    const char *trouble;

    if (!is_initialized())
        return;
    trouble = heap_trouble();
    if (trouble != NULL)
        inject_wrong(__FILE__, __LINE__, trouble);
    check_heap();
}

/* Threads that were joined may be seen for a moment. */
static struct inject_held settle(const struct inject_held *wanted)
{
    struct timespec nap = {0, 500000};
    struct inject_held now = inject_look();

    for (int i = 0; i < 4000 && wanted != NULL && now.threads != wanted->threads; i++) {
        nanosleep(&nap, NULL);
        now = inject_look();
    }
    return now;
}

static void compare(const struct inject_held *now, const struct inject_held *wanted)
{
    if (memcmp(now, wanted, sizeof *now) == 0)
        return;
    fprintf(stderr,
            "left behind, beside what is left without the fault: %ld blocks, %ld mapped "
            "bytes, %ld threads, %ld file descriptors\n",
            now->blocks - wanted->blocks, now->mapped - wanted->mapped,
            now->threads - wanted->threads, now->descriptors - wanted->descriptors);
    inject->end = INJECT_WRONG;
    _exit(EXIT_WRONG);
}

static void run_whole(const struct scenario *scenario)
{
    scenario->prepare();
    INJECT_MUST(scenario->act() == 0);
    scenario->clean();
}

/* wanted: what it must hold at the end; NULL: nobody knows yet. */
_Noreturn static void be_child(const struct scenario *scenario, const struct inject_held *wanted)
{
    struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
    alarm(CHILD_SECONDS);
    scenario->prepare();
    inject_arm();
    inject->error = scenario->act();
    inject_disarm();
    INJECT_MUST(scenario->act() == 0);
    try_heap();
    scenario->clean();
    run_whole(scenario);
    if (wanted == NULL)
        nanosleep(&(struct timespec){0, 20000000}, NULL);
    inject->held = settle(wanted);
    if (wanted != NULL)
        compare(&inject->held, wanted);
    inject->end = inject->error != 0 ? INJECT_ERROR : INJECT_ABSORBED;
    _exit(0);
}

/* ---- children ---- */

struct outcome {
    int status;
    char text[TEXT_BYTES];
};

static void read_text(int file, struct outcome *outcome)
{
    ssize_t got = pread(file, outcome->text, TEXT_BYTES - 1, 0);

    outcome->text[got > 0 ? got : 0] = '\0';
}

/* Runs what inject->row and so on say. */
static struct outcome run_child(const struct scenario *scenario, const struct inject_held *wanted)
{
    static int text = -1;
    struct outcome outcome;
    pid_t child;

    if (text < 0)
        text = memfd_create("stderr", MFD_CLOEXEC);
    if (text < 0 || ftruncate(text, 0) != 0 || lseek(text, 0, SEEK_SET) != 0)
        exit(2);
    inject->calls = inject->fired = 0;
    inject->end = INJECT_DIED;
    fflush(stdout);
    child = fork();
    if (child < 0)
        exit(2);
    if (child == 0) {
        dup2(text, STDERR_FILENO);
        be_child(scenario, wanted);
    }
    if (waitpid(child, &outcome.status, 0) != child)
        exit(2);
    inject->armed = 0;
    read_text(text, &outcome);
    return outcome;
}

/* ---- what came of it ---- */

/* Two threads may both have met a fault that lasts before one of them has ended the process. */
static bool has_message(const char *text, const char *wanted)
{
    uint64_t count = 0;

    if (wanted == NULL || strstr(text, "broken invariant") != NULL)
        return false;
    for (const char *at = strstr(text, wanted); at != NULL; at = strstr(at + 1, wanted))
        count++;
    return count == 1 || (inject->sticky && count > 0 && count <= inject->fired);
}

/* The one documented message, and then abort(). */
static bool is_documented_death(const struct scenario *scenario, const struct outcome *outcome)
{
    const struct inject_row *row = &inject_rows[inject->row];

    return WIFSIGNALED(outcome->status) && WTERMSIG(outcome->status) == SIGABRT &&
           inject->fired != 0 &&
           (has_message(outcome->text, row->fatal) || has_message(outcome->text, scenario->fatal));
}

static bool went_well(const struct outcome *outcome)
{
    return WIFEXITED(outcome->status) && WEXITSTATUS(outcome->status) == 0 &&
           (inject->end == INJECT_ABSORBED || (inject->end == INJECT_ERROR && inject->fired != 0));
}

static void complain(const struct scenario *scenario, const struct outcome *outcome)
{
    const struct inject_row *row = &inject_rows[inject->row];

    printf("FAILED: inject %s %s:%s %llu %s: ", scenario->name, row->call, row->variant,
           (unsigned long long)inject->number, inject->sticky ? "sticky" : "once");
    if (WIFSIGNALED(outcome->status))
        printf("ended by signal %d%s", WTERMSIG(outcome->status),
               WTERMSIG(outcome->status) == SIGALRM ? ": it hangs" : "");
    else
        printf("exit status %d", WEXITSTATUS(outcome->status));
    printf(", fault hit %llu times, error %d\n%s\n", (unsigned long long)inject->fired,
           inject->error, outcome->text);
}

struct tally {
    unsigned runs, absorbed, errors, fatal, wrong;
};

static void judge(const struct scenario *scenario, const struct outcome *outcome,
                  struct tally *tally)
{
    tally->runs++;
    if (is_documented_death(scenario, outcome))
        tally->fatal++;
    else if (!went_well(outcome)) {
        complain(scenario, outcome);
        tally->wrong++;
    } else if (inject->end == INJECT_ERROR)
        tally->errors++;
    else
        tally->absorbed++;
}

/* ---- all faults of a scenario ---- */

/* All; or the first, and then ever fewer. */
static uint64_t number_after(uint64_t number)
{
    return options.all || number < 5 ? number + 1 : 2 * number;
}

static bool is_in_sample(void)
{
    return tried++ % options.sample == 0;
}

/* One fault after the other, until none is hit. */
static void fail_row(const struct scenario *scenario, const struct inject_held *wanted,
                     struct tally *tally)
{
    uint64_t number = options.number != 0 ? options.number : 1;
    uint64_t most = options.number != 0 ? options.number : MANY;

    for (; number <= most; number = number_after(number)) {
        struct outcome outcome;

        inject->number = number;
        if (options.number == 0 && !is_in_sample()) {
            if (number > inject->census[inject->row])
                return;
            continue;
        }
        outcome = run_child(scenario, wanted);
        if (inject->fired == 0 && went_well(&outcome))
            return;
        judge(scenario, &outcome, tally);
    }
}

static bool is_chosen(const struct inject_row *row)
{
    size_t length = strlen(row->call);

    return options.row == NULL ||
           (strncmp(options.row, row->call, length) == 0 &&
            (options.row[length] == '\0' ||
             (options.row[length] == ':' && strcmp(options.row + length + 1, row->variant) == 0)));
}

static bool is_wanted_how(const struct inject_row *row, bool sticky)
{
    if (sticky && row->once)
        return false;
    return options.how == NULL || strcmp(options.how, sticky ? "sticky" : "once") == 0;
}

static void print_tally(const char *scenario, const char *call, const char *variant,
                        const struct tally *tally)
{
    printf("%-8s %-24s %-7s %6u %9u %6u %6u %6u\n", scenario, call, variant, tally->runs,
           tally->absorbed, tally->errors, tally->fatal, tally->wrong);
    fflush(stdout);
}

static void add(const struct tally *tally)
{
    sum.runs += tally->runs;
    sum.absorbed += tally->absorbed;
    sum.errors += tally->errors;
    sum.fatal += tally->fatal;
    sum.wrong += tally->wrong;
}

static void fail_call(const struct scenario *scenario, const struct inject_held *wanted)
{
    const struct inject_row *row = &inject_rows[inject->row];
    struct tally tally = {0};

    for (int sticky = 0; sticky <= 1; sticky++) {
        inject->sticky = sticky != 0;
        if (is_wanted_how(row, inject->sticky))
            fail_row(scenario, wanted, &tally);
    }
    if (tally.runs == 0)
        return;
    print_tally(scenario->name, row->call, row->variant, &tally);
    add(&tally);
}

/* Without a fault: which calls there are, and what is left. */
static bool take_census(const struct scenario *scenario, struct inject_held *wanted)
{
    struct outcome outcome;

    memset(inject->census, 0, sizeof inject->census);
    inject->counting = true;
    outcome = run_child(scenario, NULL);
    inject->counting = false;
    *wanted = inject->held;
    if (inject->end == INJECT_ABSORBED && WIFEXITED(outcome.status))
        return true;
    printf("FAILED: inject %s, without a fault: status %#x, error %d\n%s\n", scenario->name,
           (unsigned)outcome.status, inject->error, outcome.text);
    sum.wrong++;
    return false;
}

static void fail_scenario(const struct scenario *scenario)
{
    struct inject_held wanted;

    /* ThreadSanitizer lets no such child start threads; AddressSanitizer's malloc keeps in it the
     * locks that the parent's other threads had, and a new thread waits for them. */
    if (IS_SANITIZED && scenario->needs_threads_after_fork)
        return;
    if (!take_census(scenario, &wanted))
        return;
    for (inject->row = 0; inject->row < inject_row_count; inject->row++)
        if (inject->census[inject->row] != 0 && is_chosen(&inject_rows[inject->row]))
            fail_call(scenario, &wanted);
}

/* ---- main ---- */

static void print_names(void)
{
    for (unsigned i = 0; i < inject_row_count; i++)
        printf("%s\n", inject_rows[i].call);
    for (unsigned i = 0; i < inject_argued_count; i++)
        for (const char *at = inject_argued[i].calls; *at != '\0'; at += *at == ' ') {
            int length = (int)strcspn(at, " ");

            printf("%.*s\n", length, at);
            at += length;
        }
}

static void read_arguments(int argc, char **argv)
{
    int at = 1;

    for (; at < argc && strncmp(argv[at], "--", 2) == 0; at++) {
        if (strcmp(argv[at], "--all") == 0) {
            options.all = true;
        } else if (strcmp(argv[at], "--sample") == 0 && at + 1 < argc) {
            options.sample = (unsigned)strtoul(argv[++at], NULL, 10);
        } else {
            fprintf(stderr,
                    "usage: inject [--all] [--sample K] [SCENARIO [CALL [N [once|sticky]]]]\n");
            exit(2);
        }
    }
    options.scenario = at < argc ? argv[at++] : NULL;
    options.row = at < argc ? argv[at++] : NULL;
    options.number = at < argc ? strtoull(argv[at++], NULL, 10) : 0;
    options.how = at < argc ? argv[at] : NULL;
    if (options.sample == 0)
        options.sample = 1;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--names") == 0) {
        print_names();
        return 0;
    }
    read_arguments(argc, argv);
    inject = mmap(NULL, sizeof *inject, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (inject == MAP_FAILED)
        return 2;
    printf("%-8s %-24s %-7s %6s %9s %6s %6s %6s\n", "scenario", "call", "fails", "faults",
           "absorbed", "error", "fatal", "wrong");
    for (unsigned i = 0; i < scenario_count; i++)
        if (options.scenario == NULL || strcmp(options.scenario, scenarios[i].name) == 0)
            fail_scenario(&scenarios[i]);
    print_tally("all", "", "",
                &(struct tally){sum.runs, sum.absorbed, sum.errors, sum.fatal, sum.wrong});
    return sum.wrong == 0 && sum.runs != 0 ? 0 : 1;
}
