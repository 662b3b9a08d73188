# KLAMM_PLUGINS: every plugin of this tree, one line each.
AC_DEFUN([KLAMM_PLUGINS], [
AC_ARG_WITH([builtin-plugins],
  [AS_HELP_STRING([--with-builtin-plugins=LIST], [plugins linked into libklamm, comma separated])])
KLAMM_PLUGIN([assignor_range], [shared], [true])
KLAMM_PLUGIN([codec_gzip], [shared], [test "$have_zlib" = yes])
KLAMM_PLUGIN([codec_snappy], [shared], [test "$have_snappy" = yes])
KLAMM_PLUGIN([codec_lz4], [shared], [test "$have_lz4" = yes])
KLAMM_PLUGIN([codec_zstd], [shared], [test "$have_zstd" = yes])
KLAMM_PLUGIN([partitioner_consistent], [shared], [test "$have_zlib" = yes])
KLAMM_PLUGIN([partitioner_consistent_random], [shared], [test "$have_zlib" = yes])
KLAMM_PLUGIN([partitioner_fnv1a], [shared], [true])
KLAMM_PLUGIN([partitioner_fnv1a_random], [shared], [true])
KLAMM_PLUGIN([partitioner_murmur2], [shared], [true])
KLAMM_PLUGIN([partitioner_random], [shared], [true])
KLAMM_PLUGIN([partitioner_roundrobin], [shared], [true])
KLAMM_PLUGIN([sasl_plain], [shared], [true])
KLAMM_PLUGIN([serializer_bytes], [shared], [true])
KLAMM_PLUGIN([serializer_string], [shared], [true])
KLAMM_PLUGIN([serializer_json], [shared], [true])
dnl --disable-shared leaves libtool unable to make any module, the tests' own too.
AM_CONDITIONAL([SHARED_MODULES], [test "$enable_shared" != no])
dnl The tests ask which plugins this build has.
AC_SUBST([klamm_shared_plugins])
AC_SUBST([klamm_builtin_plugins])
AC_DEFINE_UNQUOTED([KLAMM_BUILTINS(X)], [$klamm_builtins], [the plugins that are linked in])
])
