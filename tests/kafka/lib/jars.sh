# shellcheck shell=bash disable=SC2154
# The jars of a Kafka version, by Maven, into the cache. Sourced by ../kafka;
# works on the cluster that load or up has set: dir, version, nodes, port and the options.

scala_of() {
  if ge "$1" 2.4.0; then echo 2.13; elif ge "$1" 1.0.0; then echo 2.12; else echo 2.11; fi
}

resolve() { # resolve OUTFILE MAVEN_PROPERTIES...
  local out=$1 tmp log other_bindings
  other_bindings='slf4j-(log4j12|reload4j)|log4j-slf4j[0-9]*-impl|logback-[a-z]+'
  shift
  tmp=$(mktemp "$cache/resolve.XXXXXX")
  log=$(mktemp "$cache/maven.XXXXXX")
  if mvn -B -q -f "$here/pom.xml" \
    org.apache.maven.plugins:maven-dependency-plugin:3.6.1:build-classpath \
    -Dmdep.outputFile="$tmp" -Dmdep.includeScope=runtime "$@" >"$log" 2>&1; then
    # One SLF4J binding only: drop what other versions bring along.
    tr ':' '\n' <"$tmp" | grep -v -E "/($other_bindings)-" | paste -sd: >"$out"
    rm -f "$tmp" "$log"
  else
    tail -n 5 "$log" >&2
    rm -f "$tmp" "$log"
    return 1
  fi
}

complete() { # true where the class path FILE exists and so do all its jars
  local jar
  [ -s "$1" ] || return 1
  while read -r jar; do [ -f "$jar" ] || return 1; done < <(tr ':' '\n' <"$1")
}

fetch() {
  local v=$1 dir=$cache/$1 old=() common fallback=$tools_fallback
  common=(-Dscala.version="$(scala_of "$v")" -Dslf4j.version=1.7.36)
  if ! ge "$v" 2.4.0; then old=(-Dold=1 -Dzookeeper.version=3.4.10)
  elif ! ge "$v" 2.8.0; then old=(-Dzookeeper.version=3.5.9); fi
  mkdir -p "$dir"
  if ! complete "$dir/broker.cp"; then
    need mvn maven
    resolve "$dir/broker.cp" -Dkafka.version="$v" "${common[@]}" "${old[@]}" ||
      die "cannot resolve Kafka $v"
  fi
  if ! complete "$dir/tools.cp"; then
    if ! ge "$v" 3.5.0; then
      cp "$dir/broker.cp" "$dir/tools.cp"
    else
      need mvn maven
      resolve "$dir/tools.cp" -Dkafka.version="$v" -Dtools.version="$v" "${common[@]}" \
        2>/dev/null ||
        resolve "$dir/tools.cp" -Dkafka.version="$fallback" -Dtools.version="$fallback" \
          "${common[@]}" || die "cannot resolve the tools of Kafka $v"
    fi
  fi
}

compile() { # compile VERSION FOLDER CLASS: what a folder of the harness adds to a broker
  local to=$cache/$1/$2
  need javac openjdk-17-jdk-headless
  [ -f "$to/$3.class" ] && [ -z "$(find "$here/$2" -newer "$to/$3.class")" ] ||
    javac -nowarn -Xlint:-removal -d "$to" -cp "$(cat "$cache/$1/broker.cp")" \
      "$here/$2"/*.java 2>"$to.log" || { cat "$to.log" >&2; die "javac failed"; }
}
