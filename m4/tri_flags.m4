# SPDX-License-Identifier: MIT

# TRI_ADD_FLAG(VARIABLE, FLAG)
# Appends FLAG to VARIABLE when the compiler takes it without a complaint.
AC_DEFUN([TRI_ADD_FLAG],
[AS_VAR_PUSHDEF([tri_cache], [tri_cv_cc_takes_$2])dnl
AC_CACHE_CHECK([whether $CC takes $2], [tri_cache],
  [tri_saved_cflags=$CFLAGS
   CFLAGS="$CFLAGS -Werror $2"
   AC_COMPILE_IFELSE([AC_LANG_PROGRAM],
     [AS_VAR_SET([tri_cache], [yes])], [AS_VAR_SET([tri_cache], [no])])
   CFLAGS=$tri_saved_cflags])
AS_VAR_IF([tri_cache], [yes], [AS_VAR_APPEND([$1], [" $2"])])
AS_VAR_POPDEF([tri_cache])dnl
])

# TRI_ADD_FLAGS(VARIABLE, FLAGS)
# The same for each word of FLAGS.
AC_DEFUN([TRI_ADD_FLAGS],
[m4_foreach_w([tri_flag], [$2], [TRI_ADD_FLAG([$1], m4_defn([tri_flag]))
])])

# TRI_ENABLE(NAME, HELP)
# An option --enable-NAME that is off by default; sets enable_NAME to yes or no.
AC_DEFUN([TRI_ENABLE],
[AC_ARG_ENABLE([$1], [AS_HELP_STRING([--enable-$1], [$2])],
  [AS_CASE([$enableval], [yes|no], [],
    [AC_MSG_ERROR([--enable-$1 takes no value but yes or no])])],
  [AS_VAR_SET([enable_$1], [no])])])
