# KLAMM_PLUGIN(NAME, DEFAULT, TEST): one plugin.
#   --with-plugin-NAME=shared|builtin|no   how it is built
# DEFAULT holds when TEST (a shell condition: its libraries are there) succeeds.
# Sets the conditionals SHARED_NAME and BUILTIN_NAME for plugins/NAME/local.mk
# and adds X(KIND, WORD) to the list that core/plugin.c expands.
AC_DEFUN([KLAMM_PLUGIN], [
AC_ARG_WITH([plugin-$1],
  [AS_HELP_STRING([--with-plugin-$1=shared|builtin|no], [how to build the plugin $1 (default: $2)])],
  [klamm_how=$withval], [klamm_how=default])
AS_CASE([" $with_builtin_plugins "], [*[[\ ,]]$1[[\ ,]]*], [klamm_how=builtin])
AS_IF([$3], [klamm_can=yes], [klamm_can=no])
AS_CASE([$klamm_how],
  [yes|shared], [klamm_how=shared],
  [no|builtin], [],
  [default], [AS_IF([test $klamm_can = yes], [klamm_how=$2], [klamm_how=no])],
  [AC_MSG_ERROR([--with-plugin-$1=$klamm_how: must be shared, builtin or no])])
AS_IF([test $klamm_how != no && test $klamm_can = no],
  [AC_MSG_ERROR([plugin $1 was asked for, but a library it needs is missing])])
AS_IF([test $klamm_how = shared && test "$enable_shared" = no], [klamm_how=builtin])
AM_CONDITIONAL([SHARED_$1], [test $klamm_how = shared])
AM_CONDITIONAL([BUILTIN_$1], [test $klamm_how = builtin])
AS_CASE([$klamm_how],
  [shared], [klamm_shared_plugins="$klamm_shared_plugins $1"],
  [builtin], [klamm_builtin_plugins="$klamm_builtin_plugins $1"
    klamm_builtins="$klamm_builtins X(m4_bpatsubst([$1], [_.*], []), m4_bpatsubst([$1], [^[^_]*_], []))"],
  [klamm_no_plugins="$klamm_no_plugins $1"])
])
