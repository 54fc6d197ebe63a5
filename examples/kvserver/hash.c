/* SPDX-License-Identifier: MIT */
/* SipHash-1-3 (Aumasson and Bernstein, 2012): one round for each word of input, three at the end.
 *
 * Owns: the key, constant after kv_hash_init. */
#include "hash.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static uint64_t secret[2];

struct sip {
    uint64_t a, b, c, d;
};

int kv_hash_init(void)
{
    ssize_t got;

    do {
        got = getrandom(secret, sizeof secret, 0);
    } while (got < 0 && errno == EINTR);
    return got == (ssize_t)sizeof secret ? 0 : got < 0 ? -errno : -EIO;
}

static inline uint64_t rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static inline void sip_round(struct sip *s)
{
    s->a += s->b;
    s->c += s->d;
    s->b = rotate(s->b, 13) ^ s->a;
    s->d = rotate(s->d, 16) ^ s->c;
    s->a = rotate(s->a, 32);
    s->c += s->b;
    s->a += s->d;
    s->b = rotate(s->b, 17) ^ s->c;
    s->d = rotate(s->d, 21) ^ s->a;
    s->c = rotate(s->c, 32);
}

static inline void sip_absorb(struct sip *s, uint64_t word)
{
    s->d ^= word;
    sip_round(s);
    s->a ^= word;
}

/* The last 0 to 7 bytes, and the length in the top byte. */
static inline uint64_t last_word(const char *bytes, size_t length)
{
    uint64_t word = 0;

    memcpy(&word, bytes, length & 7);
    return word | (uint64_t)length << 56;
}

uint64_t kv_hash(const void *data, size_t length)
{
    struct sip s = {
        .a = secret[0] ^ 0x736f6d6570736575u,
        .b = secret[1] ^ 0x646f72616e646f6du,
        .c = secret[0] ^ 0x6c7967656e657261u,
        .d = secret[1] ^ 0x7465646279746573u,
    };
    const char *bytes = data;
    const char *end = bytes + (length & ~(size_t)7);

    for (; bytes != end; bytes += 8) {
        uint64_t word;

        memcpy(&word, bytes, sizeof word);
        sip_absorb(&s, word);
    }
    sip_absorb(&s, last_word(bytes, length));
    s.c ^= 0xff;
    sip_round(&s);
    sip_round(&s);
    sip_round(&s);
    return s.a ^ s.b ^ s.c ^ s.d;
}

/* The hash of a counter under a secret key is as good as random. */
uint32_t kv_random(uint32_t bound)
{
    static uint64_t counter; /* atomic */
    uint64_t draw = __atomic_fetch_add(&counter, 1, __ATOMIC_RELAXED);

    return (uint32_t)(kv_hash(&draw, sizeof draw) % bound);
}
