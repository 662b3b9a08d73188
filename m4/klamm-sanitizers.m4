# KLAMM_SANITIZERS: --enable-asan|ubsan|tsan|coverage|fuzz, kept in variables of
# their own so that CFLAGS stays the user's. --enable-fuzz needs clang: the targets of
# tests/fuzz are libFuzzer's then, and everything they call is instrumented.
AC_DEFUN([KLAMM_SANITIZERS], [
AC_ARG_ENABLE([asan], [AS_HELP_STRING([--enable-asan], [build with AddressSanitizer])])
AC_ARG_ENABLE([ubsan], [AS_HELP_STRING([--enable-ubsan], [build with UndefinedBehaviorSanitizer])])
AC_ARG_ENABLE([tsan], [AS_HELP_STRING([--enable-tsan], [build with ThreadSanitizer])])
AC_ARG_ENABLE([coverage], [AS_HELP_STRING([--enable-coverage], [build for gcov])])
AC_ARG_ENABLE([fuzz], [AS_HELP_STRING([--enable-fuzz], [build tests/fuzz with libFuzzer (clang)])])
SAN_CFLAGS=
AS_IF([test "$enable_asan" = yes], [SAN_CFLAGS="$SAN_CFLAGS -fsanitize=address -fno-omit-frame-pointer"])
AS_IF([test "$enable_ubsan" = yes], [SAN_CFLAGS="$SAN_CFLAGS -fsanitize=undefined -fno-sanitize-recover=undefined"])
AS_IF([test "$enable_tsan" = yes], [SAN_CFLAGS="$SAN_CFLAGS -fsanitize=thread"])
AS_IF([test "$enable_coverage" = yes], [SAN_CFLAGS="$SAN_CFLAGS --coverage -O0"])
AS_IF([test "$enable_fuzz" = yes],
  [SAN_CFLAGS="$SAN_CFLAGS -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer"
   SAN_CFLAGS="$SAN_CFLAGS -fsanitize-coverage-ignorelist=\$(top_srcdir)/tests/fuzz/ignored"
   AC_CACHE_CHECK([for libFuzzer], [kl_cv_fuzzer],
     [kl_save_CFLAGS=$CFLAGS
      CFLAGS="$CFLAGS -fsanitize=fuzzer"
      AC_LINK_IFELSE([AC_LANG_SOURCE([[#include <stddef.h>
        int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
        { return data == NULL && size > 0; }]])], [kl_cv_fuzzer=yes], [kl_cv_fuzzer=no])
      CFLAGS=$kl_save_CFLAGS])
   AS_IF([test "$kl_cv_fuzzer" = no],
     [AC_MSG_ERROR([--enable-fuzz needs clang with libFuzzer: CC=clang])])])
AM_CONDITIONAL([TSAN], [test "$enable_tsan" = yes])
AM_CONDITIONAL([FUZZ], [test "$enable_fuzz" = yes])
AC_SUBST([SAN_CFLAGS])
AM_CONDITIONAL([SANITIZED], [test -n "$SAN_CFLAGS"])
])
