# Compiles the three plugins as their author would. Sourced; says what is missing.
# shellcheck shell=bash

# compile_outside FOLDER: with what pkg-config says of klamm, and nothing of its sources.
compile_outside() {
	local sources
	sources=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
	umask 022
	local flags=(-std=gnu11 -Wall -Wextra -Wno-unused-parameter -Werror -O2 -fPIC
		-fvisibility=hidden -shared -Wl,-z,defs)
	local plugin
	# shellcheck disable=SC2046
	${CC:-cc} "${flags[@]}" $(pkg-config --cflags klamm) -o "$1/codec_ultra.so" \
		"$sources/codec_ultra.c" -lzstd || return 1
	for plugin in assignor_weighted partitioner_firstbyte; do
		# shellcheck disable=SC2046
		${CC:-cc} "${flags[@]}" $(pkg-config --cflags klamm) -o "$1/$plugin.so" \
			"$sources/$plugin.c" || return 1
	done
}
