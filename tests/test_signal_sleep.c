/* SPDX-License-Identifier: MIT */
/* Threads that sleep in system calls outside TRI_BLOCKING do not hold a cycle up; which calls return
 * EINTR because of it is what docs/threads.md says; and inside TRI_BLOCKING none does. */
#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "limited.h"
#include "spinner.h"
#include "suite.h"
#include "task.h"

/* What a sleeper sleeps on. The main thread ends its sleep. */
static struct {
    int ends[2];    /* of a pipe, empty */
    int full[2];    /* of a pipe, full */
    int pair[2];    /* of connected sockets */
    int listener;   /* a socket */
    int event;      /* eventfd at 0 */
    int timer;      /* timerfd that is not due for long */
    int files[2];   /* two descriptions of one file; the second has it locked */
    int messages, semaphores; /* System V */
    uint32_t word;  /* a futex */
    sem_t semaphore;
    pthread_mutex_t mutex;
    pthread_cond_t condition;
    pid_t child;
    bool woken;     /* [mutex] */
} on;

/* Of those that only time ends, or a signal: to be interrupted they sleep for as long as that takes;
 * inside TRI_BLOCKING nothing else ends them. */
#define LONG_SECONDS 1
#define FOREVER_SECONDS 3600

static struct timespec a_while; /* before a sleep */

static struct timespec in_a_while(clockid_t clock)
{
    struct timespec end;

    clock_gettime(clock, &end);
    end.tv_sec += a_while.tv_sec;
    return end;
}

/* ---- the calls: -1 with errno, or anything else ---- */

static char byte;

static long call_nanosleep(void) { return nanosleep(&a_while, NULL); }

static long call_clock_nanosleep(void)
{
    errno = clock_nanosleep(CLOCK_MONOTONIC, 0, &a_while, NULL);
    return errno == 0 ? 0 : -1;
}

static long call_clock_nanosleep_until(void)
{
    struct timespec end = in_a_while(CLOCK_MONOTONIC);

    errno = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL);
    return errno == 0 ? 0 : -1;
}

static long call_usleep(void) { return usleep((useconds_t)a_while.tv_sec * 1000000); }

/* It tells by what it returns. */
static long call_sleep(void)
{
    errno = EINTR;
    return sleep((unsigned)a_while.tv_sec) == 0 ? 0 : -1;
}

static long call_poll(void)
{
    struct pollfd fd = {.fd = on.ends[0], .events = POLLIN};
    return poll(&fd, 1, -1);
}

static long call_ppoll(void)
{
    struct pollfd fd = {.fd = on.ends[0], .events = POLLIN};
    return ppoll(&fd, 1, NULL, NULL);
}

static long call_select(void)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(on.ends[0], &set);
    return select(on.ends[0] + 1, &set, NULL, NULL, NULL);
}

static long call_epoll_wait(void)
{
    struct epoll_event event = {.events = EPOLLIN};
    int fd = epoll_create1(EPOLL_CLOEXEC), error;
    long result;
    ck_assert_int_eq(epoll_ctl(fd, EPOLL_CTL_ADD, on.ends[0], &event), 0);
    result = epoll_wait(fd, &event, 1, -1);
    error = errno;
    close(fd);
    errno = error;
    return result;
}

static long call_read_pipe(void) { return read(on.ends[0], &byte, 1); }
static long call_write_pipe(void) { return write(on.full[1], &byte, 1); }

static long call_read_eventfd(void)
{
    uint64_t value;
    return read(on.event, &value, sizeof value);
}

static long call_read_timerfd(void)
{
    uint64_t value;
    return read(on.timer, &value, sizeof value);
}

static long call_accept(void) { return accept(on.listener, NULL, NULL); }
static long call_recv(void) { return recv(on.pair[0], &byte, 1, 0); }

static void set_timeout(int fd)
{
    struct timeval timeout = {.tv_sec = FOREVER_SECONDS};
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout), 0);
}

static long call_recv_with_timeout(void)
{
    set_timeout(on.pair[0]);
    return recv(on.pair[0], &byte, 1, 0);
}

static long call_accept_with_timeout(void)
{
    set_timeout(on.listener);
    return accept(on.listener, NULL, NULL);
}

static long call_sem_wait(void) { return sem_wait(&on.semaphore); }

static long call_sem_timedwait(void)
{
    struct timespec end = in_a_while(CLOCK_REALTIME);
    end.tv_sec += FOREVER_SECONDS;
    return sem_timedwait(&on.semaphore, &end);
}

static long call_mutex_lock(void)
{
    errno = pthread_mutex_lock(&on.mutex);
    if (errno != 0)
        return -1;
    pthread_mutex_unlock(&on.mutex);
    return 0;
}

static long wait_for_condition(const struct timespec *end)
{
    int error = 0;
    pthread_mutex_lock(&on.mutex);
    while (!on.woken && error == 0)
        error = end == NULL ? pthread_cond_wait(&on.condition, &on.mutex)
                            : pthread_cond_timedwait(&on.condition, &on.mutex, end);
    pthread_mutex_unlock(&on.mutex);
    errno = error;
    return error == 0 ? 0 : -1;
}

static long call_cond_wait(void) { return wait_for_condition(NULL); }

static long call_cond_timedwait(void)
{
    struct timespec end = in_a_while(CLOCK_REALTIME);
    end.tv_sec += FOREVER_SECONDS;
    return wait_for_condition(&end);
}

static long call_futex(void) { return syscall(SYS_futex, &on.word, FUTEX_WAIT, 0, NULL); }

static long call_futex_with_timeout(void)
{
    struct timespec forever = {.tv_sec = FOREVER_SECONDS};
    return syscall(SYS_futex, &on.word, FUTEX_WAIT, 0, &forever);
}

static long call_sigtimedwait(void)
{
    sigset_t set;
    long result;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    result = sigtimedwait(&set, NULL, &a_while);
    return result == -1 && errno == EAGAIN ? 0 : result;
}

static long call_msgrcv(void)
{
    struct { long type; char text[8]; } message;
    return msgrcv(on.messages, &message, sizeof message.text, 0, 0);
}

static long call_semop(void)
{
    struct sembuf down = {.sem_op = -1};
    return semop(on.semaphores, &down, 1);
}

static long call_flock(void) { return flock(on.files[0], LOCK_EX); }

static long call_fcntl_lock(void)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(on.files[0], F_OFD_SETLKW, &whole);
}

static long call_waitpid(void) { return waitpid(on.child, NULL, 0); }

/* ---- the table ---- */

enum outcome { GOES_ON, INTERRUPTED };

static const struct sleeper {
    const char *name; /* in docs/threads.md */
    long (*call)(void);
    enum outcome outcome;
} sleepers[] = {
    {"nanosleep", call_nanosleep, INTERRUPTED},
    {"clock_nanosleep", call_clock_nanosleep, INTERRUPTED},
    {"clock_nanosleep, TIMER_ABSTIME", call_clock_nanosleep_until, INTERRUPTED},
    {"usleep", call_usleep, INTERRUPTED},
    {"sleep", call_sleep, INTERRUPTED},
    {"poll", call_poll, INTERRUPTED},
    {"ppoll", call_ppoll, INTERRUPTED},
    {"select", call_select, INTERRUPTED},
    {"epoll_wait", call_epoll_wait, INTERRUPTED},
    {"read, of a pipe", call_read_pipe, GOES_ON},
    {"write, to a pipe", call_write_pipe, GOES_ON},
    {"read, of an eventfd", call_read_eventfd, GOES_ON},
    {"read, of a timerfd", call_read_timerfd, GOES_ON},
    {"accept", call_accept, GOES_ON},
    {"recv", call_recv, GOES_ON},
    {"recv, with SO_RCVTIMEO", call_recv_with_timeout, INTERRUPTED},
    {"accept, with SO_RCVTIMEO", call_accept_with_timeout, INTERRUPTED},
    {"sem_wait", call_sem_wait, GOES_ON},
    {"sem_timedwait", call_sem_timedwait, INTERRUPTED},
    {"pthread_mutex_lock", call_mutex_lock, GOES_ON},
    {"pthread_cond_wait", call_cond_wait, GOES_ON},
    {"pthread_cond_timedwait", call_cond_timedwait, GOES_ON},
    {"futex", call_futex, GOES_ON},
    {"futex, with a timeout", call_futex_with_timeout, INTERRUPTED},
    {"sigtimedwait", call_sigtimedwait, INTERRUPTED},
    {"msgrcv", call_msgrcv, INTERRUPTED},
    {"semop", call_semop, INTERRUPTED},
    {"flock", call_flock, GOES_ON},
    {"fcntl, F_SETLKW", call_fcntl_lock, GOES_ON},
    {"waitpid", call_waitpid, GOES_ON},
};
enum { SLEEPERS = sizeof sleepers / sizeof sleepers[0] };

/* ThreadSanitizer calls the handler within some functions that sleep; out of these not before they
 * return. */
static long (*const unknown_to_sanitizer[])(void) = {
    call_read_pipe, call_write_pipe, call_read_eventfd, call_read_timerfd, call_accept, call_recv,
    call_mutex_lock, call_futex, call_futex_with_timeout, call_msgrcv, call_semop,
    call_flock, call_fcntl_lock, call_waitpid};

static bool is_known_to_sanitizer(const struct sleeper *sleeper)
{
    size_t i = 0, count = sizeof unknown_to_sanitizer / sizeof unknown_to_sanitizer[0];

    while (i < count && unknown_to_sanitizer[i] != sleeper->call)
        i++;
    return !HAS_TSAN || i == count;
}

/* ---- what they sleep on ---- */

static void fill(int fd)
{
    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (write(fd, &byte, 1) == 1)
        continue;
    fcntl(fd, F_SETFL, 0);
}

static void make_listener(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    on.listener = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(on.listener, (struct sockaddr *)&any, sizeof any), 0);
    ck_assert_int_eq(listen(on.listener, 1), 0);
}

static void set_timer(struct timespec from_now)
{
    struct itimerspec timer = {.it_value = from_now};
    ck_assert_int_eq(timerfd_settime(on.timer, 0, &timer, NULL), 0);
}

static void lock_file(void)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char name[] = "signal_sleep.XXXXXX";
    on.files[0] = mkstemp(name);
    on.files[1] = open(name, O_RDWR | O_CLOEXEC);
    unlink(name);
    ck_assert_int_eq(flock(on.files[1], LOCK_EX), 0);
    ck_assert_int_eq(fcntl(on.files[1], F_OFD_SETLK, &whole), 0);
}

static pid_t start_child(void)
{
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    return child;
}

static void prepare(void)
{
    ck_assert_int_eq(pipe(on.ends), 0);
    ck_assert_int_eq(pipe(on.full), 0);
    fill(on.full[1]);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, on.pair), 0);
    make_listener();
    on.event = eventfd(0, EFD_CLOEXEC);
    on.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    set_timer((struct timespec){.tv_sec = FOREVER_SECONDS});
    lock_file();
    on.messages = msgget(IPC_PRIVATE, 0600);
    on.semaphores = semget(IPC_PRIVATE, 1, 0600);
    ck_assert_int_eq(sem_init(&on.semaphore, 0, 0), 0);
    pthread_mutex_init(&on.mutex, NULL);
    pthread_cond_init(&on.condition, NULL);
    on.child = start_child();
}

static void connect_once(void)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    getsockname(on.listener, (struct sockaddr *)&address, &length);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, length), 0);
}

/* Whatever the sleeper sleeps on, it wakes up now. */
static void wake(void)
{
    struct { long type; char text[8]; } message = {1, ""};
    struct sembuf up = {.sem_op = 1};
    struct flock whole = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
    char buffer[4096] = "";
    uint64_t one = 1;

    ck_assert_int_eq(write(on.ends[1], buffer, 1), 1);
    ck_assert_int_gt(read(on.full[0], buffer, sizeof buffer), 0);
    ck_assert_int_eq(write(on.pair[1], buffer, 1), 1);
    ck_assert_int_eq(write(on.event, &one, sizeof one), sizeof one);
    set_timer((struct timespec){.tv_nsec = 1});
    connect_once();
    sem_post(&on.semaphore);
    tri__store_relaxed(&on.word, 1);
    syscall(SYS_futex, &on.word, FUTEX_WAKE, INT_MAX);
    msgsnd(on.messages, &message, sizeof message.text, 0);
    semop(on.semaphores, &up, 1);
    flock(on.files[1], LOCK_UN);
    fcntl(on.files[1], F_OFD_SETLK, &whole);
    kill(on.child, SIGKILL);
    on.woken = true;
    pthread_cond_broadcast(&on.condition);
    pthread_mutex_unlock(&on.mutex);
}

static void tidy(void)
{
    msgctl(on.messages, IPC_RMID, NULL);
    semctl(on.semaphores, 0, IPC_RMID);
    waitpid(on.child, NULL, 0);
}

/* ---- one sleep ---- */

static struct {
    const struct sleeper *sleeper;
    bool in_block;
    struct hidden object;
    uint32_t tid; /* atomic */
    uint32_t over; /* atomic */
    long result;
    int error;
} sleep_of;

static void make_the_call(void)
{
    sleep_of.result = sleep_of.sleeper->call();
    sleep_of.error = errno;
    tri__store_release(&sleep_of.over, 1); /* rel -> acq in is_over() */
}

static void *sleeper_main(void *unused)
{
    spun *object = tri_new(spun);

    object->key = SPUN_KEY;
    tri__store_release(&sleep_of.tid, tri__os_tid()); /* rel -> acq in await_sleep() */
    if (sleep_of.in_block)
        TRI_BLOCKING
            make_the_call();
    else
        make_the_call();
    ck_assert_uint_eq(object->key, SPUN_KEY);
    return unused;
}

static bool is_over(void)
{
    return tri__load_acquire(&sleep_of.over) != 0; /* acq <- rel in make_the_call() */
}

static bool is_asleep(uint32_t tid)
{
    return task_now(tid).state == 'S';
}

/* Twice in a row, a while after it was about to; but time may have ended its sleep already. */
static void await_sleep(void)
{
    uint32_t tid;

    while ((tid = tri__load_acquire(&sleep_of.tid)) == 0) /* acq <- rel in sleeper_main() */
        tri__os_sleep(100000);
    do
        tri__os_sleep(10000000);
    while (!is_over() && (!is_asleep(tid) || (tri__os_sleep(1000000), !is_asleep(tid))));
}

/* [the mutex is held by the caller from before the sleep until wake()] But for the condition, whose
 * sleeper needs it first. */
static bool was_interrupted(const struct sleeper *sleeper, bool in_block)
{
    bool needs_mutex = sleeper->call == call_cond_wait || sleeper->call == call_cond_timedwait;
    pthread_t thread;

    sleep_of.sleeper = sleeper;
    sleep_of.in_block = in_block;
    a_while.tv_sec = in_block ? LONG_SECONDS : FOREVER_SECONDS;
    prepare();
    start_quiet();
    if (!needs_mutex)
        pthread_mutex_lock(&on.mutex);
    ck_assert_int_eq(pthread_create(&thread, NULL, sleeper_main, NULL), 0);
    await_sleep();
    ck_assert(in_block || !is_over()); /* but for the cycles nothing ends it */
    collect_times(3);
    if (needs_mutex)
        pthread_mutex_lock(&on.mutex);
    wake();
    TRI_BLOCKING
        pthread_join(thread, NULL);
    tidy();
    tri_shutdown();
    return sleep_of.result == -1 && sleep_of.error == EINTR;
}

START_TEST(sleepers_do_not_hold_a_cycle_up)
{
    const struct sleeper *sleeper = &sleepers[_i];

    if (!is_known_to_sanitizer(sleeper))
        return;
    ck_assert_msg(was_interrupted(sleeper, false) == (sleeper->outcome == INTERRUPTED),
                  "%s: %ld, errno %d", sleeper->name, sleep_of.result, sleep_of.error);
}
END_TEST

START_TEST(nothing_is_interrupted_in_a_block)
{
    ck_assert_msg(!was_interrupted(&sleepers[_i], true), "%s", sleepers[_i].name);
}
END_TEST

/* ---- the document ---- */

static bool row_says(const char *row, const struct sleeper *sleeper)
{
    char start[100];
    int length = snprintf(start, sizeof start, "| %s | ", sleeper->name);
    const char *word = sleeper->outcome == INTERRUPTED ? "`EINTR` |" : "goes on |";

    return strncmp(row, start, (size_t)length) == 0 &&
           strncmp(row + length, word, strlen(word)) == 0;
}

static bool document_says(FILE *document, const struct sleeper *sleeper)
{
    char row[400];
    bool found = false;

    rewind(document);
    while (!found && fgets(row, sizeof row, document) != NULL)
        found = row_says(row, sleeper);
    return found;
}

START_TEST(the_document_says_so)
{
    const char *source = getenv("TRI_SRCDIR");
    char path[PATH_MAX];
    FILE *document;

    if (source == NULL)
        return;
    snprintf(path, sizeof path, "%s/docs/threads.md", source);
    document = fopen(path, "re");
    ck_assert_ptr_nonnull(document);
    for (int i = 0; i < SLEEPERS; i++)
        ck_assert_msg(document_says(document, &sleepers[i]), "%s", sleepers[i].name);
    fclose(document);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("signal_sleep");
    TCase *tcase = tcase_create("sleepers");

    tcase_set_timeout(tcase, LIMIT_SECONDS + 10);
    tcase_add_checked_fixture(tcase, begin_limit, end_limit);
    tcase_add_loop_test(tcase, sleepers_do_not_hold_a_cycle_up, 0, SLEEPERS);
    tcase_add_loop_test(tcase, nothing_is_interrupted_in_a_block, 0, SLEEPERS);
    tcase_add_test(tcase, the_document_says_so);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
