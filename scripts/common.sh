# What the scripts share; sourced with the top folder as working directory.
# shellcheck shell=bash

# Debian's names of what the build needs, and what fuzzing and the tests against real Kafka need
# on top.
build_packages=(build-essential autoconf automake libtool pkg-config python3
	libssl-dev libpcre2-dev uthash-dev libjson-c-dev zlib1g-dev liblz4-dev libzstd-dev
	libsnappy-dev libcurl4-openssl-dev libidn-dev libkrb5-dev check locales)
fuzz_packages=(clang libclang-rt-14-dev llvm)
kafka_packages=(openjdk-17-jdk-headless maven openssl python3-venv kcat
	krb5-kdc krb5-admin-server krb5-user libsasl2-modules-gssapi-mit python3-gssapi
	dante-server microsocks tinyproxy)

# No script goes by what the user of this machine has configured.
export KLAMM_CONF=

say() {
	printf '%s\n' "$*"
}

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# need_packages NAME...: installs what is missing where it may, else says what to install.
need_packages() {
	local missing=() name
	if ! command -v dpkg-query >/dev/null; then
		[ -n "${KLAMM_PACKAGES_NAMED:-}" ] ||
			say "Not Debian: your system's packages for these are needed: $*" >&2
		return 0
	fi
	for name in "$@"; do
		dpkg-query -W -f '${db:Status-Abbrev}' "$name" 2>/dev/null | grep -q '^.i' ||
			missing+=("$name")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	[ "$(id -u)" = 0 ] || die "missing packages: sudo apt-get install ${missing[*]}"
	say "installing ${missing[*]}"
	apt-get -qq update
	DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends \
		-y "${missing[@]}" >/dev/null
}

jobs_here() {
	getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2
}

# configured FOLDER OPTION...: bootstraps and configures once; make sees to changes later.
configured() {
	local folder=$1 cc=${CC:-gcc}
	shift
	if command -v ccache >/dev/null && [ "${cc#ccache}" = "$cc" ]; then
		cc="ccache $cc"
	fi
	[ -x configure ] && [ -f Makefile.in ] && [ -f build-aux/ltmain.sh ] || autoreconf -fi
	[ -f "$folder/Makefile" ] && return 0
	mkdir -p "$folder"
	(cd "$folder" && ../configure CC="$cc" "$@")
}
