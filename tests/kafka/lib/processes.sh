# shellcheck shell=bash disable=SC2154
# Starting, watching and ending the processes of a cluster. Sourced by ../kafka;
# works on the cluster that load or up has set: dir, version, nodes, port and the options.

jvm_flags() { # jvm_flags VERSION
  echo "${KAFKA_JVM_OPTS:--Xms64m -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1}" \
    "-Xshare:auto -Dorg.slf4j.simpleLogger.showThreadName=false" \
    "-Dorg.slf4j.simpleLogger.showDateTime=true" \
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS" \
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED --add-opens=java.base/java.nio=ALL-UNNAMED" \
    "--add-opens=java.base/java.lang=ALL-UNNAMED" \
    "--add-exports=java.security.jgss/sun.security.krb5=ALL-UNNAMED"
}

alive() { # alive PIDFILE MARK: the pid runs and MARK is on its command line
  local pid
  [ -f "$1" ] || return 1
  pid=$(cat "$1")
  [ -n "$pid" ] && [ -r "/proc/$pid/cmdline" ] || return 1
  tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF -- "$2"
}

signal() { # signal SIG DIR
  if alive "$2/pid" "$2/"; then kill "-$1" "$(cat "$2/pid")" 2>/dev/null || true; fi
}

await_exit() { # await_exit DIR SECONDS
  local i
  for ((i = 0; i < $2 * 20; i++)); do
    alive "$1/pid" "$1/" || return 0
    sleep 0.05
  done
  return 1
}

launch() { # launch DIR COMMAND...: in the background, detached, output to DIR/log
  local dir=$1
  shift
  # What it said in its last life must not be taken for what it says now.
  if [ -f "$dir/log" ]; then cat "$dir/log" >>"$dir/log.old"; : >"$dir/log"; fi
  setsid "$@" >"$dir/log" 2>&1 </dev/null &
  echo $! >"$dir/pid"
  # Until it is that command, and not this shell yet, it does not count as alive.
  local i pid=$!
  for ((i = 0; i < 3000; i++)); do
    alive "$dir/pid" "$dir/" && break
    kill -0 $pid 2>/dev/null || break
    sleep 0.02
  done
}

await_log() { # await_log DIR PATTERN
  local i
  for ((i = 0; i < wait_s * 20; i++)); do
    grep -qE "$2" "$1/log" 2>/dev/null && return 0
    alive "$1/pid" "$1/" || break
    sleep 0.05
  done
  echo "kafka: ${1##*/} is not ready; the end of $1/log:" >&2
  tail -n 25 "$1/log" >&2
  return 1
}

load() { # load NAME: its directory and settings
  dir=$run/$1
  [ -f "$dir/settings" ] || die "no cluster named $1 (see: kafka status)"
  # shellcheck disable=SC1091
  . "$dir/settings"
}

port_of() { echo $((port + 10 * ($1 - 1) + $2)); } # port_of NODE OFFSET

start_zk() {
  launch "$dir/zk" "$(java_bin)" -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
    -Dzookeeper.admin.enableServer=false -Dzookeeper.jmx.log4j.disable=true \
    -Dlog4j.configuration="file:$dir/log4j.properties" \
    -cp "$(cat "$cache/$version/broker.cp")" \
    org.apache.zookeeper.server.ZooKeeperServerMain "$dir/zk/zoo.cfg"
  local i
  for ((i = 0; i < wait_s * 20; i++)); do
    (exec 3<>"/dev/tcp/$host/$(port_of 1 9)") 2>/dev/null && return 0
    alive "$dir/zk/pid" "$dir/zk/" || break
    sleep 0.05
  done
  tail -n 20 "$dir/zk/log" >&2
  die "ZooKeeper did not start"
}

start_kdc() {
  launch "$dir/kdc" env KRB5_CONFIG="$dir/krb5.conf" KRB5_KDC_PROFILE="$dir/kdc/kdc.conf" \
    krb5kdc -n -P "$dir/kdc/krb5kdc.pid"
  local i
  for ((i = 0; i < wait_s * 20; i++)); do
    (exec 3<>"/dev/tcp/$host/$(port_of 1 8)") 2>/dev/null && return 0
    sleep 0.05
  done
  tail -n 20 "$dir/kdc/log" >&2
  die "the KDC did not start"
}

start_node() { # start_node NODE, without waiting
  local n=$dir/node$1 opts cp
  read -r -a opts <<<"$(jvm_flags "$version")"
  cp=$(cat "$cache/$version/broker.cp")
  if [ "$telemetry" = 1 ]; then
    cp=$cp:$cache/$version/telemetry
    opts+=("-Dtelemetry.file=$dir/telemetry.log")
  fi
  [ "$iam" = 1 ] && cp=$cp:$cache/$version/iam
  opts+=("-Dlog4j.configuration=file:$dir/log4j.properties")
  if [ "$secure" = 1 ]; then
    opts+=("-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=file://$dir/secrets/jwks.json")
    [ "$krb" = 1 ] && opts+=("-Djava.security.krb5.conf=$dir/krb5.conf")
    ge "$version" 1.1.0 || opts+=("-Djava.security.auth.login.config=$dir/jaas.conf")
  fi
  launch "$n" "$(java_bin)" "${opts[@]}" -cp "$cp" kafka.Kafka "$n/server.properties"
}

await_node() {
  await_log "$dir/node$1" 'Kafka Server started|\[Kafka ?Server [^]]*\],? started'
}
