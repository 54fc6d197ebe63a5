/* SPDX-License-Identifier: MIT */
/* Glob patterns, matched without recursion: when a later character does not fit, only the last *
 * takes one more. So the cost is bounded by pattern length times text length, whatever a client
 * sends. */
#include "glob.h"

/* What one step of a pattern is: where the next step begins, and whether a character fits. */
struct step {
    size_t next;
    bool fits;
};

/* One member of a set, "a" or "a-z", at `at`; ends behind it. */
static struct step match_member(struct kv_slice pattern, size_t at, unsigned char c)
{
    size_t low_at = at + (pattern.data[at] == '\\' && at + 1 < pattern.length);
    unsigned char low = (unsigned char)pattern.data[low_at];
    unsigned char high = low;
    size_t next = low_at + 1;

    if (low_at == at && next + 1 < pattern.length && pattern.data[next] == '-') {
        high = (unsigned char)pattern.data[next + 1];
        next += 2;
    }
    if (low > high)
        return (struct step){next, c >= high && c <= low};
    return (struct step){next, c >= low && c <= high};
}

/* The set that begins behind '['. A set that is never closed ends with the pattern. */
static struct step match_set(struct kv_slice pattern, size_t at, unsigned char c)
{
    bool negated = at < pattern.length && pattern.data[at] == '^';
    bool found = false;

    at += negated;
    while (at < pattern.length && pattern.data[at] != ']') {
        struct step member = match_member(pattern, at, c);

        found |= member.fits;
        at = member.next;
    }
    return (struct step){at < pattern.length ? at + 1 : at, found != negated};
}

static struct step match_one(struct kv_slice pattern, size_t at, unsigned char c)
{
    switch (pattern.data[at]) {
    case '?':
        return (struct step){at + 1, true};
    case '[':
        return match_set(pattern, at + 1, c);
    case '\\':
        at += at + 1 < pattern.length;
        break;
    default:
        break;
    }
    return (struct step){at + 1, (unsigned char)pattern.data[at] == c};
}

bool kv_glob_match(struct kv_slice pattern, struct kv_slice text)
{
    size_t p = 0, t = 0;
    size_t star = SIZE_MAX; /* pattern position behind the last *; none yet */
    size_t star_text = 0;   /* where the text behind that * is tried to begin */

    while (t < text.length) {
        struct step step = {0, false};

        if (p < pattern.length && pattern.data[p] == '*') {
            star = ++p;
            star_text = t;
            continue;
        }
        if (p < pattern.length)
            step = match_one(pattern, p, (unsigned char)text.data[t]);
        if (step.fits) {
            p = step.next;
            t++;
        } else if (star != SIZE_MAX) {
            p = star;
            t = ++star_text;
        } else {
            return false;
        }
    }
    while (p < pattern.length && pattern.data[p] == '*')
        p++;
    return p == pattern.length;
}
