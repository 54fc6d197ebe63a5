/* SPDX-License-Identifier: MIT */
/* Made by scripts/gen-size-classes: edit that, not this. The size classes. */
#ifndef TRICOLOR_SIZE_CLASS_H
#define TRICOLOR_SIZE_CLASS_H

#include <tricolor/base.h>

/* Spans are made of pages of this size. */
#define TRI__PAGE_SHIFT 13
#define TRI__PAGE_BYTES ((size_t)1 << TRI__PAGE_SHIFT)

/* Class 0: a large object. Classes 1 and up are those of sizes up to TRI__SMALL_MAX. */
#define TRI__SIZE_CLASSES 67
#define TRI__SMALL_MAX 32768u

/* Span class: twice the size class, plus one if leaf. 0: no page, 1: large. */
#define TRI__SPAN_CLASSES 134
#define TRI__SPAN_CLASS(size_class, leaf) (2u * (size_class) + ((leaf) ? 1u : 0u))

/* For constants: folds in a static initialiser. Evaluates its argument many times. */
#define TRI__SIZE_CLASS(bytes) \
    ((bytes) <= 8u ? 1u : (bytes) <= 16u ? 2u : (bytes) <= 32u ? 3u : \
     (bytes) <= 48u ? 4u : (bytes) <= 64u ? 5u : (bytes) <= 80u ? 6u : \
     (bytes) <= 96u ? 7u : (bytes) <= 112u ? 8u : (bytes) <= 128u ? 9u : \
     (bytes) <= 144u ? 10u : (bytes) <= 160u ? 11u : (bytes) <= 176u ? 12u : \
     (bytes) <= 192u ? 13u : (bytes) <= 208u ? 14u : (bytes) <= 224u ? 15u : \
     (bytes) <= 240u ? 16u : (bytes) <= 256u ? 17u : (bytes) <= 288u ? 18u : \
     (bytes) <= 320u ? 19u : (bytes) <= 352u ? 20u : (bytes) <= 384u ? 21u : \
     (bytes) <= 416u ? 22u : (bytes) <= 448u ? 23u : (bytes) <= 480u ? 24u : \
     (bytes) <= 512u ? 25u : (bytes) <= 576u ? 26u : (bytes) <= 640u ? 27u : \
     (bytes) <= 704u ? 28u : (bytes) <= 768u ? 29u : (bytes) <= 896u ? 30u : \
     (bytes) <= 1024u ? 31u : (bytes) <= 1152u ? 32u : (bytes) <= 1280u ? 33u : \
     (bytes) <= 1408u ? 34u : (bytes) <= 1536u ? 35u : (bytes) <= 1792u ? 36u : \
     (bytes) <= 2048u ? 37u : (bytes) <= 2304u ? 38u : (bytes) <= 2688u ? 39u : \
     (bytes) <= 3072u ? 40u : (bytes) <= 3200u ? 41u : (bytes) <= 3456u ? 42u : \
     (bytes) <= 4096u ? 43u : (bytes) <= 4864u ? 44u : (bytes) <= 5376u ? 45u : \
     (bytes) <= 6144u ? 46u : (bytes) <= 6528u ? 47u : (bytes) <= 6784u ? 48u : \
     (bytes) <= 6912u ? 49u : (bytes) <= 8192u ? 50u : (bytes) <= 9472u ? 51u : \
     (bytes) <= 9728u ? 52u : (bytes) <= 10240u ? 53u : (bytes) <= 10880u ? 54u : \
     (bytes) <= 12288u ? 55u : (bytes) <= 13568u ? 56u : (bytes) <= 14336u ? 57u : \
     (bytes) <= 16384u ? 58u : (bytes) <= 18432u ? 59u : (bytes) <= 19072u ? 60u : \
     (bytes) <= 20480u ? 61u : (bytes) <= 21760u ? 62u : (bytes) <= 24576u ? 63u : \
     (bytes) <= 27264u ? 64u : (bytes) <= 28672u ? 65u : (bytes) <= 32768u ? 66u : 0u)

/* The slot size of a class. 0 for no small class. */
#define TRI__SIZE_CLASS_BYTES(size_class) \
    ((size_class) == 1u ? 8u : (size_class) == 2u ? 16u : (size_class) == 3u ? 32u : \
     (size_class) == 4u ? 48u : (size_class) == 5u ? 64u : (size_class) == 6u ? 80u : \
     (size_class) == 7u ? 96u : (size_class) == 8u ? 112u : (size_class) == 9u ? 128u : \
     (size_class) == 10u ? 144u : (size_class) == 11u ? 160u : \
     (size_class) == 12u ? 176u : (size_class) == 13u ? 192u : \
     (size_class) == 14u ? 208u : (size_class) == 15u ? 224u : \
     (size_class) == 16u ? 240u : (size_class) == 17u ? 256u : \
     (size_class) == 18u ? 288u : (size_class) == 19u ? 320u : \
     (size_class) == 20u ? 352u : (size_class) == 21u ? 384u : \
     (size_class) == 22u ? 416u : (size_class) == 23u ? 448u : \
     (size_class) == 24u ? 480u : (size_class) == 25u ? 512u : \
     (size_class) == 26u ? 576u : (size_class) == 27u ? 640u : \
     (size_class) == 28u ? 704u : (size_class) == 29u ? 768u : \
     (size_class) == 30u ? 896u : (size_class) == 31u ? 1024u : \
     (size_class) == 32u ? 1152u : (size_class) == 33u ? 1280u : \
     (size_class) == 34u ? 1408u : (size_class) == 35u ? 1536u : \
     (size_class) == 36u ? 1792u : (size_class) == 37u ? 2048u : \
     (size_class) == 38u ? 2304u : (size_class) == 39u ? 2688u : \
     (size_class) == 40u ? 3072u : (size_class) == 41u ? 3200u : \
     (size_class) == 42u ? 3456u : (size_class) == 43u ? 4096u : \
     (size_class) == 44u ? 4864u : (size_class) == 45u ? 5376u : \
     (size_class) == 46u ? 6144u : (size_class) == 47u ? 6528u : \
     (size_class) == 48u ? 6784u : (size_class) == 49u ? 6912u : \
     (size_class) == 50u ? 8192u : (size_class) == 51u ? 9472u : \
     (size_class) == 52u ? 9728u : (size_class) == 53u ? 10240u : \
     (size_class) == 54u ? 10880u : (size_class) == 55u ? 12288u : \
     (size_class) == 56u ? 13568u : (size_class) == 57u ? 14336u : \
     (size_class) == 58u ? 16384u : (size_class) == 59u ? 18432u : \
     (size_class) == 60u ? 19072u : (size_class) == 61u ? 20480u : \
     (size_class) == 62u ? 21760u : (size_class) == 63u ? 24576u : \
     (size_class) == 64u ? 27264u : (size_class) == 65u ? 28672u : \
     (size_class) == 66u ? 32768u : 0u)

TRI__STATIC_ASSERT(TRI__SIZE_CLASS(TRI__SMALL_MAX) == TRI__SIZE_CLASSES - 1, "folds");

#endif
