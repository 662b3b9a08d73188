# shellcheck shell=bash disable=SC2154
# What each broker is told. Sourced by ../kafka;
# works on the cluster that load or up has set: dir, version, nodes, port and the options.

# Amazon's example.
iam_key=AKIDEXAMPLE
iam_secret=wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY

sasl_jaas() { # sasl_jaas MECHANISM: the broker's login module for it
  local sec=org.apache.kafka.common.security admin
  admin='required username="admin" password="admin-secret"'
  case $1 in
    PLAIN)
      echo "$sec.plain.PlainLoginModule $admin" \
        "user_admin=\"admin-secret\" user_alice=\"alice-secret\" user_bob=\"bob-secret\";"
      ;;
    SCRAM-*) echo "$sec.scram.ScramLoginModule $admin;" ;;
    OAUTHBEARER)
      echo "$sec.oauthbearer.OAuthBearerLoginModule required" \
        "unsecuredLoginStringClaim_sub=\"admin\";"
      ;;
    AWS_MSK_IAM) echo "IamLoginModule required $iam_key=\"$iam_secret\";" ;;
    GSSAPI)
      echo "com.sun.security.auth.module.Krb5LoginModule required" \
        "useKeyTab=true storeKey=true" \
        "keyTab=\"$dir/secrets/kafka.keytab\" principal=\"kafka/localhost@$realm\";"
      ;;
  esac
}

mechanisms() {
  ge "$version" 0.10.0.0 && echo PLAIN
  # KRaft learned SCRAM in 3.5.
  if ge "$version" 3.5.0 || { [ "$zk" = 1 ] && ge "$version" 0.10.2; }; then
    printf 'SCRAM-SHA-256\nSCRAM-SHA-512\n'
  fi
  ge "$version" 2.0.0 && echo OAUTHBEARER
  [ "$krb" = 1 ] && echo GSSAPI
  [ "$iam" = 1 ] && echo AWS_MSK_IAM
  return 0
}

write_log4j() {
  local a=log4j.appender.err
  printf '%s\n' 'log4j.rootLogger=INFO, err' "$a=org.apache.log4j.ConsoleAppender" \
    "$a.layout=org.apache.log4j.PatternLayout" \
    "$a.layout.ConversionPattern=%d{HH:mm:ss.SSS} %p %c - %m%n" >"$dir/log4j.properties"
}

write_jaas() { # the brokers' static login file, and the tools' settings
  local mech
  {
    echo "KafkaServer {"
    for mech in $(mechanisms); do sasl_jaas "$mech" | sed 's/^/  /'; done
    echo "};"
  } >"$dir/jaas.conf"
  printf '%s\n' security.protocol=SASL_PLAINTEXT sasl.mechanism=PLAIN \
    "sasl.jaas.config=$(sasl_jaas PLAIN | sed 's/ user_.*/;/')" >"$dir/admin.properties"
}

write_config() { # write_config NODE
  local id=$1 n=$dir/node$1 rf=$((nodes < 3 ? nodes : 3)) names=PLAINTEXT listeners
  local map=PLAINTEXT:PLAINTEXT mech mechs l key inter=PLAINTEXT i
  mkdir -p "$n"
  listeners=PLAINTEXT://$host:$(port_of "$id" 0)
  if [ "$secure" = 1 ]; then
    if ge "$version" 0.10.2; then
      names="$names SSL SASL_PLAINTEXT SASL_SSL"
      map=$map,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
      ge "$version" 0.11.0 && names="$names MTLS" && map=$map,MTLS:SSL
      ge "$version" 3.1.0 && names="$names OAUTH" && map=$map,OAUTH:SASL_PLAINTEXT
      [ "$iam" = 1 ] && names="$names IAM" && map=$map,IAM:SASL_SSL
    else
      names="$names SSL"
      [ -n "$(mechanisms)" ] && names="$names SASL_PLAINTEXT SASL_SSL"
    fi
    for l in $names; do
      case $l in
        SSL) listeners=$listeners,SSL://$host:$(port_of "$id" 1) ;;
        MTLS) listeners=$listeners,MTLS://$host:$(port_of "$id" 2) ;;
        SASL_PLAINTEXT) listeners=$listeners,SASL_PLAINTEXT://$host:$(port_of "$id" 3) ;;
        SASL_SSL) listeners=$listeners,SASL_SSL://$host:$(port_of "$id" 4) ;;
        OAUTH) listeners=$listeners,OAUTH://$host:$(port_of "$id" 5) ;;
        IAM) listeners=$listeners,IAM://$host:$(port_of "$id" 6) ;;
      esac
    done
    [ "$acl" = 1 ] && inter=SASL_PLAINTEXT
  fi
  {
    if [ "$zk" = 1 ]; then
      echo "broker.id=$id"
      echo "zookeeper.connect=$host:$(port_of 1 9)"
      echo "zookeeper.session.timeout.ms=4000"
      if ge "$version" 0.9.0.0; then
        echo "listeners=$listeners"
        echo "advertised.listeners=$listeners"
      else
        echo "host.name=$host"
        echo "port=$(port_of "$id" 0)"
      fi
      ge "$version" 0.10.2 && echo "listener.security.protocol.map=$map"
    else
      echo "process.roles=broker,controller"
      echo "node.id=$id"
      echo "listeners=$listeners,CONTROLLER://$host:$(port_of "$id" 9)"
      if ge "$version" 4.0.0; then
        echo "advertised.listeners=$listeners,CONTROLLER://$host:$(port_of "$id" 9)"
      else
        echo "advertised.listeners=$listeners"
      fi
      echo "controller.listener.names=CONTROLLER"
      map=$map,CONTROLLER:$([ "$acl" = 0 ] || echo SASL_)PLAINTEXT
      echo "listener.security.protocol.map=$map"
      echo "$quorum"
      echo "broker.session.timeout.ms=4000"
      echo "broker.heartbeat.interval.ms=500"
    fi
    ge "$version" 0.9.0.0 && if ge "$version" 0.10.2; then
      echo "inter.broker.listener.name=$inter"
    else
      echo "security.inter.broker.protocol=$inter"
    fi
    cat <<CONF
log.dirs=$n/data
default.replication.factor=$rf
min.insync.replicas=$((rf > 2 ? 2 : 1))
offsets.topic.replication.factor=$rf
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=$rf
transaction.state.log.min.isr=$((rf > 2 ? 2 : 1))
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=$rf
share.coordinator.state.topic.min.isr=$((rf > 2 ? 2 : 1))
share.coordinator.state.topic.num.partitions=4
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.dedupe.buffer.size=16777216
num.network.threads=2
num.io.threads=4
num.recovery.threads.per.data.dir=1
delete.topic.enable=true
CONF
    if [ "$secure" = 1 ]; then
      mechs=$(mechanisms | paste -sd,)
      if ge "$version" 3.5.0; then # PEM with no password on the key
        echo "ssl.keystore.type=PEM"
        echo "ssl.keystore.location=$dir/secrets/server-store.pem"
        echo "ssl.truststore.type=PEM"
        echo "ssl.truststore.location=$dir/secrets/ca.pem"
      else
        echo "ssl.keystore.type=PKCS12"
        echo "ssl.keystore.location=$dir/secrets/server.p12"
        echo "ssl.keystore.password=server-secret"
        echo "ssl.key.password=server-secret"
        echo "ssl.truststore.type=PKCS12"
        echo "ssl.truststore.location=$dir/secrets/trust.p12"
        echo "ssl.truststore.password=server-secret"
      fi
      if ge "$version" 0.11.0; then
        echo "listener.name.ssl.ssl.client.auth=none"
        echo "listener.name.sasl_ssl.ssl.client.auth=none"
        echo "listener.name.mtls.ssl.client.auth=required"
      else
        echo "ssl.client.auth=requested"
      fi
      ge "$version" 2.4.0 && echo 'ssl.principal.mapping.rules=RULE:^CN=([^,]+).*$/$1/,DEFAULT'
      echo "sasl.enabled.mechanisms=$mechs"
      echo "sasl.kerberos.service.name=kafka"
      echo "sasl.mechanism.inter.broker.protocol=PLAIN"
      echo "sasl.mechanism.controller.protocol=PLAIN"
      if ge "$version" 1.1.0; then
        key=$(ge "$version" 3.0.0 && echo secret || echo master)
        echo "delegation.token.$key.key=token-master-secret"
        for l in sasl_plaintext sasl_ssl controller; do
          for mech in $(mechanisms); do
            if [ $l != controller ] || [ "$mech" = PLAIN ]; then
              key=$(echo "$mech" | tr '[:upper:]' '[:lower:]')
              echo "listener.name.$l.$key.sasl.jaas.config=$(sasl_jaas "$mech")"
            fi
          done
        done
        echo "listener.name.controller.sasl.enabled.mechanisms=PLAIN"
      fi
      if [ "$iam" = 1 ]; then
        l=listener.name.iam
        echo "$l.ssl.client.auth=none"
        echo "$l.sasl.enabled.mechanisms=AWS_MSK_IAM,OAUTHBEARER"
        echo "$l.aws_msk_iam.sasl.jaas.config=$(sasl_jaas AWS_MSK_IAM)"
        i=org.apache.kafka.common.security.oauthbearer
        echo "$l.oauthbearer.sasl.jaas.config=$i.OAuthBearerLoginModule required;"
        echo "$l.oauthbearer.sasl.server.callback.handler.class=IamTokens"
      fi
      if ge "$version" 3.1.0; then
        l=listener.name.oauth.oauthbearer.sasl
        i=org.apache.kafka.common.security.oauthbearer
        echo "listener.name.oauth.sasl.enabled.mechanisms=OAUTHBEARER"
        echo "$l.jaas.config=$i.OAuthBearerLoginModule required;"
        ge "$version" 4.0.0 || i=$i.secured
        echo "$l.server.callback.handler.class=$i.OAuthBearerValidatorCallbackHandler"
        echo "$l.oauthbearer.jwks.endpoint.url=file://$dir/secrets/jwks.json"
        echo "$l.oauthbearer.expected.audience=kafka"
        echo "$l.oauthbearer.expected.issuer=kafka-test"
      fi
    fi
    if [ "$acl" = 1 ]; then
      if [ "$zk" != 1 ]; then
        echo "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer"
      elif ge "$version" 2.4.0; then
        echo "authorizer.class.name=kafka.security.authorizer.AclAuthorizer"
      else
        echo "authorizer.class.name=kafka.security.auth.SimpleAclAuthorizer"
      fi
      # 0.10.0 with Kerberos: a broker meets its peers under its Kerberos name, even by PLAIN.
      echo "super.users=User:admin$(ge "$version" 1.1.0 ||
        echo ";User:kafka/localhost@$realm")"
    fi
    [ "$telemetry" = 1 ] && echo "metric.reporters=TelemetryReporter"
    printf '%s' "${extra//\{node\}/$1}"
  } >"$n/server.properties"
}

scram_users() { # arguments for the format tool
  local u m
  for u in admin alice bob; do
    for m in SCRAM-SHA-256 SCRAM-SHA-512; do
      printf '%s\n' --add-scram "$m=[name=$u,password=$u-secret]"
    done
  done
}

format_node() { # format_node NODE CLUSTER_ID ARGS...
  local n=$dir/node$1 id=$2
  shift 2
  "$(java_bin)" -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
    -cp "$(cat "$cache/$version/broker.cp")" kafka.tools.StorageTool \
    format -c "$n/server.properties" -t "$id" "$@" >"$n/format.log" 2>&1
}

random_id() { # 16 random bytes, base64url, no leading dash
  local id
  while id=$(head -c 16 /dev/urandom | b64url) && [ "${id#-}" != "$id" ]; do :; done
  echo "$id"
}
