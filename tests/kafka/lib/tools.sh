# shellcheck shell=bash disable=SC2154
# Kafka's own command-line tools. Sourced by ../kafka;
# works on the cluster that load or up has set: dir, version, nodes, port and the options.

tool() {
  local t=$1 c classes=() cls='' bs cfg=0 args=() jar opts=() cp
  shift
  local o=org.apache.kafka.tools
  case $t in
    topics) classes=($o.TopicCommand kafka.admin.TopicCommand) ;;
    configs) classes=($o.ConfigCommand kafka.admin.ConfigCommand) ;;
    acls) classes=($o.AclCommand kafka.admin.AclCommand) ;;
    groups)
      classes=($o.consumer.group.ConsumerGroupCommand kafka.admin.ConsumerGroupCommand)
      ;;
    share-groups) classes=($o.consumer.group.ShareGroupCommand) ;;
    producer) classes=($o.ConsoleProducer kafka.tools.ConsoleProducer) ;;
    consumer) classes=($o.consumer.ConsoleConsumer kafka.tools.ConsoleConsumer) ;;
    share-consumer) classes=($o.consumer.ConsoleShareConsumer) ;;
    features) classes=($o.FeatureCommand kafka.admin.FeatureCommand) ;;
    quorum) classes=($o.MetadataQuorumCommand kafka.admin.MetadataQuorumCommand) ;;
    client-metrics) classes=($o.ClientMetricsCommand) ;;
    producer-perf) classes=($o.ProducerPerformance) ;;
    consumer-perf) classes=($o.ConsumerPerformance kafka.tools.ConsumerPerformance) ;;
    *) classes=("$t") ;;
  esac
  # The first that a jar has: names stand uncompressed in a jar's directory.
  for c in "${classes[@]}"; do
    while read -r jar; do
      if grep -qaF "${c//.//}.class" "$jar"; then cls=$c; break 2; fi
    done < <(tr ':' '\n' <"$cache/$version/tools.cp" | grep -E '/kafka')
  done
  [ -n "$cls" ] || die "Kafka $version has no tool $t"
  bs=${at:-$(bootstrap 0)}
  if [ "$acl" = 1 ]; then bs=$(bootstrap 3) cfg=1; fi
  case $t in
    producer)
      args=(--broker-list "$bs")
      ge "$version" 2.5.0 && args=(--bootstrap-server "$bs")
      [ $cfg = 1 ] && args+=(--producer.config "$dir/admin.properties")
      ;;
    consumer)
      if ge "$version" 0.10.1; then args=(--bootstrap-server "$bs")
      elif ge "$version" 0.9.0.0; then args=(--new-consumer --bootstrap-server "$bs")
      else args=(--zookeeper "$host:$(port_of 1 9)"); fi
      [ $cfg = 1 ] && args+=(--consumer.config "$dir/admin.properties")
      ;;
    share-consumer)
      args=(--bootstrap-server "$bs")
      [ $cfg = 1 ] && args+=(--consumer-config "$dir/admin.properties")
      ;;
    topics | configs | acls)
      if ge "$version" 2.6.0; then
        args=(--bootstrap-server "$bs")
        [ $cfg = 1 ] && args+=(--command-config "$dir/admin.properties")
      elif [ "$t" = acls ]; then
        args=(--authorizer-properties "zookeeper.connect=$host:$(port_of 1 9)")
      else
        args=(--zookeeper "$host:$(port_of 1 9)")
      fi
      ;;
    groups)
      args=(--bootstrap-server "$bs")
      ge "$version" 0.9.0.0 || args=(--zookeeper "$host:$(port_of 1 9)")
      ge "$version" 1.0.0 || args=(--new-consumer "${args[@]}")
      [ $cfg = 1 ] && args+=(--command-config "$dir/admin.properties")
      ;;
    share-groups | features | quorum | client-metrics)
      args=(--bootstrap-server "$bs")
      [ $cfg = 1 ] && args+=(--command-config "$dir/admin.properties")
      ;;
  esac
  opts=(-Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1
    -Dorg.slf4j.simpleLogger.defaultLogLevel=warn)
  [ -f "$dir/log4j-tools.properties" ] ||
    sed 's/=INFO/=WARN/; $a log4j.appender.err.target=System.err' "$dir/log4j.properties" \
      >"$dir/log4j-tools.properties"
  opts+=("-Dlog4j.configuration=file:$dir/log4j-tools.properties")
  cp=$(cat "$cache/$version/tools.cp")${KAFKA_CLASSPATH:+:$KAFKA_CLASSPATH}
  "$(java_bin)" "${opts[@]}" -cp "$cp" "$cls" "${args[@]}" "$@"
}
