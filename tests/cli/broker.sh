# A dev broker for one test; sourced after tap.sh. $b is its address.
# shellcheck shell=bash

start_broker() { # start_broker OPTION...
	"$abs_top_builddir/cli/klamm" broker --listen 127.0.0.1:0 --ready-file "$tmp/ready" "$@" \
		>"$tmp/broker.out" 2>&1 &
	broker_pid=$!
	if ! until_true [ -s "$tmp/ready" ]; then
		echo "Bail out! the broker did not come up"
		show "$tmp/broker.out"
		exit 1
	fi
	b=$(cat "$tmp/ready")
	trap 'stop_broker; tap_end' EXIT
}

stop_broker() {
	kill "$broker_pid" 2>/dev/null && wait "$broker_pid" 2>/dev/null
}
