/* SPDX-License-Identifier: MIT */
/* tricolor/each.h: apply a macro to every argument of a list of up to 64 (for tricolor/type.h;
 * not an interface).
 *
 * The first argument of a list is skipped. That makes the empty list expressible, which C11's
 * variadic macros are not, and lets a caller put there whatever comes before its list. */
#ifndef TRICOLOR_EACH_H
#define TRICOLOR_EACH_H

/* TRI__EACH(M, T, first, a, b) is M(T, 2, a) M(T, 1, b), TRI__EACH(M, T, first) is nothing. T
 * is passed through; the numbers are there to make names unique. */
#define TRI__EACH(M, T, ...) TRI__EACH_COUNTED(TRI__COUNT(__VA_ARGS__), M, T, __VA_ARGS__)
#define TRI__EACH_COUNTED(n, M, T, ...) TRI__EACH_PASTE(n, M, T, __VA_ARGS__)
#define TRI__EACH_PASTE(n, M, T, ...) TRI__EACH_##n(M, T, __VA_ARGS__)

/* The number of arguments after the first; 65 stands for 65 to 127, so that a list too long can
 * be told from a short one. */
#define TRI__COUNT(...) TRI__COUNT_PICK(__VA_ARGS__, TRI__COUNT_TOO_MANY, TRI__COUNT_DOWN, ~)
#define TRI__COUNT_PICK(...) TRI__COUNT_PICK_129(__VA_ARGS__)
#define TRI__COUNT_TOO_MANY                                                                        \
    65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65,    \
    65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65,    \
    65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65, 65
#define TRI__COUNT_DOWN                                                                            \
    64, 63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42,    \
    41, 40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19,    \
    18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0
#define TRI__COUNT_PICK_129(                                                                       \
    a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19, a20,     \
    a21, a22, a23, a24, a25, a26, a27, a28, a29, a30, a31, a32, a33, a34, a35, a36, a37, a38,      \
    a39, a40, a41, a42, a43, a44, a45, a46, a47, a48, a49, a50, a51, a52, a53, a54, a55, a56,      \
    a57, a58, a59, a60, a61, a62, a63, a64, a65, a66, a67, a68, a69, a70, a71, a72, a73, a74,      \
    a75, a76, a77, a78, a79, a80, a81, a82, a83, a84, a85, a86, a87, a88, a89, a90, a91, a92,      \
    a93, a94, a95, a96, a97, a98, a99, a100, a101, a102, a103, a104, a105, a106, a107, a108,       \
    a109, a110, a111, a112, a113, a114, a115, a116, a117, a118, a119, a120, a121, a122, a123,      \
    a124, a125, a126, a127, a128, n, ...) n

#define TRI__EACH_0(M, T, first)
#define TRI__EACH_1(M, T, first, a) M(T, 1, a)
#define TRI__EACH_2(M, T, first, a, ...) M(T, 2, a) TRI__EACH_1(M, T, a, __VA_ARGS__)
#define TRI__EACH_3(M, T, first, a, ...) M(T, 3, a) TRI__EACH_2(M, T, a, __VA_ARGS__)
#define TRI__EACH_4(M, T, first, a, ...) M(T, 4, a) TRI__EACH_3(M, T, a, __VA_ARGS__)
#define TRI__EACH_5(M, T, first, a, ...) M(T, 5, a) TRI__EACH_4(M, T, a, __VA_ARGS__)
#define TRI__EACH_6(M, T, first, a, ...) M(T, 6, a) TRI__EACH_5(M, T, a, __VA_ARGS__)
#define TRI__EACH_7(M, T, first, a, ...) M(T, 7, a) TRI__EACH_6(M, T, a, __VA_ARGS__)
#define TRI__EACH_8(M, T, first, a, ...) M(T, 8, a) TRI__EACH_7(M, T, a, __VA_ARGS__)
#define TRI__EACH_9(M, T, first, a, ...) M(T, 9, a) TRI__EACH_8(M, T, a, __VA_ARGS__)
#define TRI__EACH_10(M, T, first, a, ...) M(T, 10, a) TRI__EACH_9(M, T, a, __VA_ARGS__)
#define TRI__EACH_11(M, T, first, a, ...) M(T, 11, a) TRI__EACH_10(M, T, a, __VA_ARGS__)
#define TRI__EACH_12(M, T, first, a, ...) M(T, 12, a) TRI__EACH_11(M, T, a, __VA_ARGS__)
#define TRI__EACH_13(M, T, first, a, ...) M(T, 13, a) TRI__EACH_12(M, T, a, __VA_ARGS__)
#define TRI__EACH_14(M, T, first, a, ...) M(T, 14, a) TRI__EACH_13(M, T, a, __VA_ARGS__)
#define TRI__EACH_15(M, T, first, a, ...) M(T, 15, a) TRI__EACH_14(M, T, a, __VA_ARGS__)
#define TRI__EACH_16(M, T, first, a, ...) M(T, 16, a) TRI__EACH_15(M, T, a, __VA_ARGS__)
#define TRI__EACH_17(M, T, first, a, ...) M(T, 17, a) TRI__EACH_16(M, T, a, __VA_ARGS__)
#define TRI__EACH_18(M, T, first, a, ...) M(T, 18, a) TRI__EACH_17(M, T, a, __VA_ARGS__)
#define TRI__EACH_19(M, T, first, a, ...) M(T, 19, a) TRI__EACH_18(M, T, a, __VA_ARGS__)
#define TRI__EACH_20(M, T, first, a, ...) M(T, 20, a) TRI__EACH_19(M, T, a, __VA_ARGS__)
#define TRI__EACH_21(M, T, first, a, ...) M(T, 21, a) TRI__EACH_20(M, T, a, __VA_ARGS__)
#define TRI__EACH_22(M, T, first, a, ...) M(T, 22, a) TRI__EACH_21(M, T, a, __VA_ARGS__)
#define TRI__EACH_23(M, T, first, a, ...) M(T, 23, a) TRI__EACH_22(M, T, a, __VA_ARGS__)
#define TRI__EACH_24(M, T, first, a, ...) M(T, 24, a) TRI__EACH_23(M, T, a, __VA_ARGS__)
#define TRI__EACH_25(M, T, first, a, ...) M(T, 25, a) TRI__EACH_24(M, T, a, __VA_ARGS__)
#define TRI__EACH_26(M, T, first, a, ...) M(T, 26, a) TRI__EACH_25(M, T, a, __VA_ARGS__)
#define TRI__EACH_27(M, T, first, a, ...) M(T, 27, a) TRI__EACH_26(M, T, a, __VA_ARGS__)
#define TRI__EACH_28(M, T, first, a, ...) M(T, 28, a) TRI__EACH_27(M, T, a, __VA_ARGS__)
#define TRI__EACH_29(M, T, first, a, ...) M(T, 29, a) TRI__EACH_28(M, T, a, __VA_ARGS__)
#define TRI__EACH_30(M, T, first, a, ...) M(T, 30, a) TRI__EACH_29(M, T, a, __VA_ARGS__)
#define TRI__EACH_31(M, T, first, a, ...) M(T, 31, a) TRI__EACH_30(M, T, a, __VA_ARGS__)
#define TRI__EACH_32(M, T, first, a, ...) M(T, 32, a) TRI__EACH_31(M, T, a, __VA_ARGS__)
#define TRI__EACH_33(M, T, first, a, ...) M(T, 33, a) TRI__EACH_32(M, T, a, __VA_ARGS__)
#define TRI__EACH_34(M, T, first, a, ...) M(T, 34, a) TRI__EACH_33(M, T, a, __VA_ARGS__)
#define TRI__EACH_35(M, T, first, a, ...) M(T, 35, a) TRI__EACH_34(M, T, a, __VA_ARGS__)
#define TRI__EACH_36(M, T, first, a, ...) M(T, 36, a) TRI__EACH_35(M, T, a, __VA_ARGS__)
#define TRI__EACH_37(M, T, first, a, ...) M(T, 37, a) TRI__EACH_36(M, T, a, __VA_ARGS__)
#define TRI__EACH_38(M, T, first, a, ...) M(T, 38, a) TRI__EACH_37(M, T, a, __VA_ARGS__)
#define TRI__EACH_39(M, T, first, a, ...) M(T, 39, a) TRI__EACH_38(M, T, a, __VA_ARGS__)
#define TRI__EACH_40(M, T, first, a, ...) M(T, 40, a) TRI__EACH_39(M, T, a, __VA_ARGS__)
#define TRI__EACH_41(M, T, first, a, ...) M(T, 41, a) TRI__EACH_40(M, T, a, __VA_ARGS__)
#define TRI__EACH_42(M, T, first, a, ...) M(T, 42, a) TRI__EACH_41(M, T, a, __VA_ARGS__)
#define TRI__EACH_43(M, T, first, a, ...) M(T, 43, a) TRI__EACH_42(M, T, a, __VA_ARGS__)
#define TRI__EACH_44(M, T, first, a, ...) M(T, 44, a) TRI__EACH_43(M, T, a, __VA_ARGS__)
#define TRI__EACH_45(M, T, first, a, ...) M(T, 45, a) TRI__EACH_44(M, T, a, __VA_ARGS__)
#define TRI__EACH_46(M, T, first, a, ...) M(T, 46, a) TRI__EACH_45(M, T, a, __VA_ARGS__)
#define TRI__EACH_47(M, T, first, a, ...) M(T, 47, a) TRI__EACH_46(M, T, a, __VA_ARGS__)
#define TRI__EACH_48(M, T, first, a, ...) M(T, 48, a) TRI__EACH_47(M, T, a, __VA_ARGS__)
#define TRI__EACH_49(M, T, first, a, ...) M(T, 49, a) TRI__EACH_48(M, T, a, __VA_ARGS__)
#define TRI__EACH_50(M, T, first, a, ...) M(T, 50, a) TRI__EACH_49(M, T, a, __VA_ARGS__)
#define TRI__EACH_51(M, T, first, a, ...) M(T, 51, a) TRI__EACH_50(M, T, a, __VA_ARGS__)
#define TRI__EACH_52(M, T, first, a, ...) M(T, 52, a) TRI__EACH_51(M, T, a, __VA_ARGS__)
#define TRI__EACH_53(M, T, first, a, ...) M(T, 53, a) TRI__EACH_52(M, T, a, __VA_ARGS__)
#define TRI__EACH_54(M, T, first, a, ...) M(T, 54, a) TRI__EACH_53(M, T, a, __VA_ARGS__)
#define TRI__EACH_55(M, T, first, a, ...) M(T, 55, a) TRI__EACH_54(M, T, a, __VA_ARGS__)
#define TRI__EACH_56(M, T, first, a, ...) M(T, 56, a) TRI__EACH_55(M, T, a, __VA_ARGS__)
#define TRI__EACH_57(M, T, first, a, ...) M(T, 57, a) TRI__EACH_56(M, T, a, __VA_ARGS__)
#define TRI__EACH_58(M, T, first, a, ...) M(T, 58, a) TRI__EACH_57(M, T, a, __VA_ARGS__)
#define TRI__EACH_59(M, T, first, a, ...) M(T, 59, a) TRI__EACH_58(M, T, a, __VA_ARGS__)
#define TRI__EACH_60(M, T, first, a, ...) M(T, 60, a) TRI__EACH_59(M, T, a, __VA_ARGS__)
#define TRI__EACH_61(M, T, first, a, ...) M(T, 61, a) TRI__EACH_60(M, T, a, __VA_ARGS__)
#define TRI__EACH_62(M, T, first, a, ...) M(T, 62, a) TRI__EACH_61(M, T, a, __VA_ARGS__)
#define TRI__EACH_63(M, T, first, a, ...) M(T, 63, a) TRI__EACH_62(M, T, a, __VA_ARGS__)
#define TRI__EACH_64(M, T, first, a, ...) M(T, 64, a) TRI__EACH_63(M, T, a, __VA_ARGS__)
/* Too many: only the first is used, and whoever counts complains. */
#define TRI__EACH_65(M, T, first, a, ...) M(T, 65, a)

#endif
