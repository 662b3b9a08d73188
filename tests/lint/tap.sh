# TAP for the lint tests. Sourced; leaves the working directory at the top of the sources.
# shellcheck shell=bash
top=${abs_top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
build=${abs_top_builddir:-$top/build}
cc=${CC:-gcc}
tests=0
cd "$top" || exit 99

# verdict NAME FINDINGS: ok when there are none; each finding is a line.
verdict() {
	tests=$((tests + 1))
	if [ -z "$2" ]; then
		printf 'ok %d - %s\n' $tests "$1"
	else
		printf 'not ok %d - %s\n' $tests "$1"
		printf '%s\n' "$2" | head -n 40 | sed 's/^/# /'
	fi
}

skip() { # skip NAME REASON
	tests=$((tests + 1))
	printf 'ok %d - %s # SKIP %s\n' $tests "$1" "$2"
}

finish() {
	printf '1..%d\n' $tests
}

# Every file of ours below the folders given: nothing that a tool has made, no build folder.
ours() { # ours FOLDER... [-- FIND EXPRESSION]
	local folders=()
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		folders+=("$1")
		shift
	done
	[ $# -eq 0 ] || shift
	find "${folders[@]}" \( -name .git -o -name build -o -name 'build-*' \
		-o -name autom4te.cache -o -name __pycache__ -o -name 'lt*.m4' -o -name libtool.m4 \
		-o -name aclocal.m4 -o -name configure -o -name 'configure~' -o -name Makefile.in \
		-o -name 'config.h.in*' \) -prune -o -type f "$@" -print | sed 's|^\./||' | sort
}
