/* SPDX-License-Identifier: MIT */
/* tricolor/type_make.h: how the macros of tricolor/type.h make a descriptor (not an interface).
 *
 * For a type T they define, beside tri_type_T: some enumerators, the state tri__state_T,
 * the union tri__extent_T, whose size tells where the last pointer ends, and the mask. A list
 * of members is passed on with one argument before it, which TRI__EACH skips. */
#ifndef TRICOLOR_TYPE_MAKE_H
#define TRICOLOR_TYPE_MAKE_H

#include <tricolor/type.h>

/* Objects with pointers, up to this size, keep one bit a word in their span; larger ones keep
 * their type in a footer. */
#define TRI__BITMAP_BYTES 512u
#define TRI__FOOTER_BYTES 8u

/* What the runtime keeps about a type; zero at first. A line of its own: it is read at each
 * allocation and hardly ever written. */
struct tri__type_state {
    void *mask;          /* BYTE_MASK, GC_PROGRAM: as bits, once it was needed */
    uint32_t run_offset; /* atomic: bytes from its span class's run to its own; 0: it has none */
    uint32_t spans;      /* atomic: typed spans of this type */
    uint32_t held;       /* atomic: 1: its shared object is not unloaded any more */
} __attribute__((aligned(64)));

/* Bits of type->extras. */
#define TRI__HAS_STATE 1u
#define TRI__HAS_NAMES 2u

/* Only if TRI__HAS_STATE. */
#define TRI__TYPE_STATE(type) ((struct tri__type_state *)(void *)(type)->cache)

/* A member that was named, for messages: [start, end) in bytes. */
struct tri__member {
    size_t start, end;
    const char *name;
};

/* What type->name is the end of, if TRI__HAS_NAMES. */
struct tri__type_names {
    const struct tri__member *members; /* the last has no name */
    const char *tail;                  /* the flexible array; NULL: there is none */
};

#define TRI__FIRST_TYPE(T, ...) &tri_type_##T
#define TRI__FIRST_NAME(items, ...) #items

#ifdef __cplusplus
#define TRI__ALIGNOF(T) alignof(T)
#define TRI__MEMBER(T, m) static_cast<T *>(nullptr)->m
#else
#define TRI__ALIGNOF(T) _Alignof(T)
#define TRI__MEMBER(T, m) ((T *)0)->m
#endif

/* Where member m begins and ends, in bytes of T. */
#define TRI__START(T, m) __builtin_offsetof(T, m)
#define TRI__END(T, m) (__builtin_offsetof(T, m) + sizeof(TRI__MEMBER(T, m)))

/* ------------------------------------------------------------------------------------ checks */

#define TRI__ASSERT_ALIGNMENT(T)                                                                   \
    TRI__STATIC_ASSERT(TRI__ALIGNOF(T) <= 16,                                                      \
                       "type " #T ": the heap aligns to 16 bytes; this type asks for more")

#define TRI__ASSERT_WORDS(T)                                                                       \
    TRI__STATIC_ASSERT(sizeof(T) % TRI_WORD == 0,                                                  \
                       "type " #T ": its size is not a multiple of the word, so the pointers of "  \
                       "an array of it would be misaligned");                                      \
    TRI__STATIC_ASSERT(sizeof(T) % TRI_WORD != 0 || TRI__ALIGNOF(T) >= TRI_WORD,                   \
                       "type " #T ": it is packed, so its pointers may be misaligned")

#define TRI__ASSERT_MEMBER(T, n, m)                                                                \
    TRI__STATIC_ASSERT(sizeof(TRI__MEMBER(T, m)) % TRI_WORD == 0,                                  \
                       "type " #T ", member " #m ": its size is not a multiple of the word, so "   \
                       "it is neither a pointer nor an array of pointers");                        \
    TRI__STATIC_ASSERT(TRI__START(T, m) % TRI_WORD == 0,                                           \
                       "type " #T ", member " #m ": it is misaligned; the collector reads "        \
                       "aligned words only");

#define TRI__ASSERT_TAIL_AT_END(T, items)                                                          \
    TRI__STATIC_ASSERT(TRI__START(T, items) == sizeof(T),                                          \
                       "type " #T ", tail " #items ": it is not a flexible array that begins "     \
                       "where the struct ends")

#define TRI__ASSERT_POINTER_TAIL(T, items, ...)                                                    \
    TRI__STATIC_ASSERT(sizeof(TRI__MEMBER(T, items)[0]) == TRI_WORD,                               \
                       "type " #T ", tail " #items ": not an array of pointers; an array of "      \
                       "structs needs TRI_FLEX_TYPE_OF");                                          \
    TRI__ASSERT_TAIL_AT_END(T, items)

/* An element less aligned than a word has no pointers (TRI__ASSERT_WORDS), so its array may
 * begin inside the struct's padding: the padding is allocated, and nobody looks at the array. */
#define TRI__ASSERT_TYPED_TAIL(T, items, E, ...)                                                   \
    TRI__STATIC_ASSERT(sizeof(TRI__MEMBER(T, items)[0]) == sizeof(E),                              \
                       "type " #T ", tail " #items ": its elements are not of the type named");    \
    TRI__STATIC_ASSERT(TRI__START(T, items) == sizeof(T) ||                                        \
                           (TRI__ALIGNOF(E) < TRI_WORD && TRI__START(T, items) + TRI__ALIGNOF(T) > \
                                                              sizeof(T)),                          \
                       "type " #T ", tail " #items ": it is not a flexible array that begins "     \
                       "where the struct ends")

#define TRI__ASSERT_LAYOUT(T, ...)                                                                 \
    TRI__ASSERT_ALIGNMENT(T);                                                                      \
    TRI__ASSERT_WORDS(T);                                                                          \
    TRI__STATIC_ASSERT(TRI__COUNT(__VA_ARGS__) <= 64,                                              \
                       "type " #T ": more than 64 members; name an array of pointers as one");     \
    TRI__EACH(TRI__ASSERT_MEMBER, T, __VA_ARGS__)

/* ------------------------------------------------------------------------------------- slots */

/* What one element of T takes, and what it takes among objects of other types, with a footer then
 * if need be; and the size classes of both: 0 for a large object. Enumerators, because the class
 * macros repeat their argument once a class. */
#define TRI__DEFINE_SLOT(T, leaf)                                                                  \
    enum {                                                                                         \
        tri__own_bytes_##T = sizeof(T) > TRI__SMALL_MAX ? TRI__SMALL_MAX + 1                       \
                             : sizeof(T) == 0           ? 1                                        \
                                                        : sizeof(T),                               \
        tri__bytes_##T = leaf || sizeof(T) <= TRI__BITMAP_BYTES                                    \
                             ? tri__own_bytes_##T                                                  \
                             : tri__own_bytes_##T + TRI__FOOTER_BYTES,                             \
        tri__own_class_##T = TRI__SIZE_CLASS(tri__own_bytes_##T),                                  \
        tri__class_##T = TRI__SIZE_CLASS(tri__bytes_##T)                                           \
    }

#define TRI__IS_SMALL(T) (sizeof(T) <= TRI__SMALL_MAX)
#define TRI__SLOT_SIZE(T) TRI__SIZE_CLASS_BYTES(tri__own_class_##T)
#define TRI__SPAN_CLASS_OF(T, leaf) (tri__class_##T == 0 ? 0 : 2 * tri__class_##T + leaf)
#define TRI__RUN_TAG(T) (TRI__IS_SMALL(T) ? &tri_type_##T : NULL)

/* A flexible type of C++ has no use for it. */
#define TRI__DEFINE_STATE(T) static struct tri__type_state tri__state_##T __attribute__((unused))

/* ------------------------------------------------------------------------------------- masks */

/* Every member is one of the union's arrays, one byte longer than needed, so that no array has
 * no elements. */
#define TRI__EXTENT_MEMBER(T, n, m) char member_##n[TRI__END(T, m) + 1];
#define TRI__DEFINE_EXTENT(T, ...)                                                                 \
    union tri__extent_##T {                                                                        \
        char none[1];                                                                              \
        TRI__EACH(TRI__EXTENT_MEMBER, T, __VA_ARGS__)                                              \
    }
#define TRI__PTR_BYTES(T) (sizeof(union tri__extent_##T) - 1)

#ifdef __cplusplus

extern "C++" {

/* The words [first, first + words) of a type. */
struct tri__word_range {
    size_t first;
    size_t words;
};

/* A mask of so many 64-bit words; at least one. */
template <size_t Length> struct tri__bit_mask {
    uint64_t word[Length];
};

/* The mask with the bits of all ranges set. The first range is the one that TRI__EACH skips:
 * empty. */
template <size_t Length, size_t Ranges>
constexpr tri__bit_mask<Length> tri__make_bit_mask(const tri__word_range (&ranges)[Ranges])
{
    tri__bit_mask<Length> mask = {};

    for (const tri__word_range &range : ranges) {
        size_t bit = range.first;
        size_t end = range.first + range.words;

        while (bit < end) {
            size_t n = 64 - bit % 64 < end - bit ? 64 - bit % 64 : end - bit;
            mask.word[bit / 64] |= ~uint64_t(0) >> (64 - n) << bit % 64;
            bit += n;
        }
    }
    return mask;
}

} /* extern "C++" */

#define TRI__RANGE_MEMBER(T, n, m)                                                                 \
    {TRI__START(T, m) / TRI_WORD, sizeof(TRI__MEMBER(T, m)) / TRI_WORD},
#define TRI__DEFINE_MASK(T, ...)                                                                   \
    TRI__ASSERT_LAYOUT(T, __VA_ARGS__)                                                             \
    TRI__DEFINE_EXTENT(T, __VA_ARGS__);                                                            \
    static constexpr auto tri__mask_##T = tri__make_bit_mask<TRI__PTR_BYTES(T) / 512 + 1>(         \
        {{0, 0}, TRI__EACH(TRI__RANGE_MEMBER, T, __VA_ARGS__)});                                   \
    TRI__DEFINE_STATE(T)

#define TRI__GC_DATA(T) &tri__mask_##T
#define TRI__GC_FLAGS(T) 0
#define TRI__GC_CACHE(T) NULL

/* A constant is local to its file in C++, unless it was declared before. */
#define TRI__BEGIN_TYPE(T)                                                                         \
    extern "C" {                                                                                   \
    extern TRI_API const tri_type tri_type_##T;                                                    \
    }

#else /* C */

/* Up to 64 words the mask is one constant; longer ones are written as bytes, which C can
 * initialize by ranges and cannot pack into bits. Both are defined and one is used: the
 * compiler drops the other, whose value may then be nonsense. */
#define TRI__BITS_MEMBER(T, n, m)                                                                  \
    | ~(uint64_t)0 >> ((64 - sizeof(TRI__MEMBER(T, m)) / TRI_WORD) & 63)                           \
          << (TRI__START(T, m) / TRI_WORD & 63)
#define TRI__BYTES_MEMBER(T, n, m)                                                                 \
    [TRI__START(T, m) / TRI_WORD... TRI__LAST_WORD(T, m)] = 1,
#define TRI__IS_LONG(T) (TRI__PTR_BYTES(T) > 512)

/* Not before the first, even of a member smaller than a word: that was refused above, and clang
 * would go on to fill the address space. */
#define TRI__LAST_WORD(T, m)                                                                       \
    (sizeof(TRI__MEMBER(T, m)) < TRI_WORD                                                          \
         ? TRI__START(T, m) / TRI_WORD                                                             \
         : (TRI__START(T, m) + sizeof(TRI__MEMBER(T, m)) - TRI_WORD) / TRI_WORD)

/* Members of a union may name a word twice: that is no mistake, so the warning is off. */
#define TRI__DEFINE_MASK(T, ...)                                                                   \
    TRI__ASSERT_LAYOUT(T, __VA_ARGS__)                                                             \
    TRI__DEFINE_EXTENT(T, __VA_ARGS__);                                                            \
    static const uint64_t tri__mask_##T __attribute__((unused)) =                                  \
        0 TRI__EACH(TRI__BITS_MEMBER, T, __VA_ARGS__);                                             \
    _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Woverride-init\"")           \
    __extension__ static const uint8_t                                                             \
        tri__byte_mask_##T[TRI__PTR_BYTES(T) / TRI_WORD + 1] __attribute__((unused)) = {           \
            TRI__EACH(TRI__BYTES_MEMBER, T, __VA_ARGS__)[TRI__PTR_BYTES(T) / TRI_WORD] = 0};       \
    _Pragma("GCC diagnostic pop") TRI__DEFINE_STATE(T)

#define TRI__GC_DATA(T)                                                                            \
    (TRI__IS_LONG(T) ? (const void *)tri__byte_mask_##T : (const void *)&tri__mask_##T)
#define TRI__GC_FLAGS(T) (TRI__IS_LONG(T) ? TRI_TYPE_BYTE_MASK : 0)
#define TRI__GC_CACHE(T) (TRI__IS_LONG(T) ? &tri__state_##T.mask : NULL)

#define TRI__BEGIN_TYPE(T) TRI_API

#endif

/* ------------------------------------------------------------------------------------- names */

#define TRI__MEMBER_NAME(T, n, m) {TRI__START(T, m), TRI__END(T, m), #m},
#define TRI__DEFINE_MEMBERS(T, ...)                                                                \
    static const struct tri__member tri__members_##T[] = {                                         \
        TRI__EACH(TRI__MEMBER_NAME, T, __VA_ARGS__){0, 0, NULL}}
#define TRI__DEFINE_NAMES(T, tail, ...)                                                            \
    TRI__DEFINE_MEMBERS(T, __VA_ARGS__);                                                           \
    static const struct {                                                                          \
        struct tri__type_names names;                                                              \
        char text[sizeof(#T)];                                                                     \
    } tri__names_##T = {{tri__members_##T, tail}, #T}

/* ------------------------------------------------------------------------------- descriptors */

/* Aligned to be one cache line, which several threads read while they allocate. */
#define TRI__DEFINE_TYPE(T, ptr_bytes, gc_data, name, flags, slot, span_class, extras, tag, tail,  \
                         cache)                                                                    \
    TRI__BEGIN_TYPE(T)                                                                             \
    const tri_type tri_type_##T __attribute__((aligned(64))) = {                                   \
        sizeof(T), ptr_bytes, gc_data, name, flags, slot, span_class, extras, tag, tail, cache}

/* How large a flexible object is, nobody knows before it is allocated: no slot. */
#define TRI__DEFINE_FLEX(T, tail, items, ...)                                                      \
    TRI__DEFINE_MASK(T, __VA_ARGS__);                                                              \
    TRI__DEFINE_NAMES(T, items, __VA_ARGS__);                                                      \
    TRI__DEFINE_TYPE(T, TRI__PTR_BYTES(T), TRI__GC_DATA(T), tri__names_##T.text,                   \
                     TRI__GC_FLAGS(T) | TRI_TYPE_FLEX, 0, 0, TRI__HAS_NAMES, NULL, tail,           \
                     TRI__GC_CACHE(T))

TRI__STATIC_ASSERT(sizeof(tri_type) == 64, "programs are compiled with this size");

#endif
