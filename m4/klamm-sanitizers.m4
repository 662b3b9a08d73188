# KLAMM_SANITIZERS: --enable-asan|ubsan|tsan|coverage, kept in variables of
# their own so that CFLAGS stays the user's.
AC_DEFUN([KLAMM_SANITIZERS], [
AC_ARG_ENABLE([asan], [AS_HELP_STRING([--enable-asan], [build with AddressSanitizer])])
AC_ARG_ENABLE([ubsan], [AS_HELP_STRING([--enable-ubsan], [build with UndefinedBehaviorSanitizer])])
AC_ARG_ENABLE([tsan], [AS_HELP_STRING([--enable-tsan], [build with ThreadSanitizer])])
AC_ARG_ENABLE([coverage], [AS_HELP_STRING([--enable-coverage], [build for gcov])])
SAN_CFLAGS=
AS_IF([test "$enable_asan" = yes], [SAN_CFLAGS="$SAN_CFLAGS -fsanitize=address -fno-omit-frame-pointer"])
AS_IF([test "$enable_ubsan" = yes], [SAN_CFLAGS="$SAN_CFLAGS -fsanitize=undefined -fno-sanitize-recover=undefined"])
AS_IF([test "$enable_tsan" = yes], [SAN_CFLAGS="$SAN_CFLAGS -fsanitize=thread"])
AS_IF([test "$enable_coverage" = yes], [SAN_CFLAGS="$SAN_CFLAGS --coverage -O0"])
AC_SUBST([SAN_CFLAGS])
AM_CONDITIONAL([SANITIZED], [test -n "$SAN_CFLAGS"])
])
