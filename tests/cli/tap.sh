# The frame of the command line's tests: TAP from a shell script. Sourced by *.test.
# shellcheck shell=bash
set -u

klamm() {
	"$abs_top_builddir/cli/klamm" "$@"
}

# The same as a job in the background, whose pid is $!: a script's ignore SIGINT otherwise.
program=(env --default-signal=INT "$abs_top_builddir/cli/klamm")

export KLAMM_CONF= # whatever the user of this machine has

tap_count=0
tmp=$(mktemp -d)
tap_end() {
	rm -rf "$tmp"
	echo "1..$tap_count"
}
trap tap_end EXIT

skip_all() { # skip_all REASON: before the first test
	trap - EXIT
	rm -rf "$tmp"
	echo "1..0 # SKIP $1"
	exit 0
}

ok() { # ok STATUS NAME
	tap_count=$((tap_count + 1))
	[ "$1" = 0 ] || printf 'not '
	printf 'ok %d - %s\n' "$tap_count" "$2"
}

until_true() { # until_true COMMAND...: for a minute at least, of a machine however busy
	local i
	for ((i = 0; i < 1200; i++)); do
		"$@" && return 0
		sleep 0.05
	done
	return 1
}

show() { # what went wrong, as TAP comments
	sed 's/^/# /' "$@"
}

# expect STATUS [--out PATTERN]... [--err PATTERN]... NAME -- COMMAND...: runs it with empty
# standard input unless one is given, and wants this status and patterns (of grep -E).
expect() {
	local want=$1 good=0 name outs=() errs=() p rc=0
	shift
	while :; do
		case $1 in
		--out) outs+=("$2"); shift 2 ;;
		--err) errs+=("$2"); shift 2 ;;
		*) name=$1; shift 2; break ;;
		esac
	done
	"$@" >"$tmp/out" 2>"$tmp/err" || rc=$?
	if [ $rc != "$want" ]; then
		good=1
		echo "# status $rc, expected $want"
	fi
	for p in "${outs[@]}"; do
		grep -qE -e "$p" "$tmp/out" || { good=1; echo "# no /$p/ in stdout"; }
	done
	for p in "${errs[@]}"; do
		grep -qE -e "$p" "$tmp/err" || { good=1; echo "# no /$p/ in stderr"; }
	done
	[ $good = 0 ] || show "$tmp/out" "$tmp/err"
	ok $good "$name"
}
