# shellcheck shell=bash disable=SC2154
# Certificates, tokens and Kerberos principals. Sourced by ../kafka;
# works on the cluster that load or up has set: dir, version, nodes, port and the options.

make_cert() { # make_cert STEM CN CA_STEM SAN
  openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$2" 2>/dev/null
  openssl x509 -req -in "$1.csr" -CA "$3.pem" -CAkey "$3.key" -CAcreateserial -days 3650 \
    -out "$1.pem" 2>/dev/null \
    -extfile <(printf 'basicConstraints=CA:FALSE\n%s\n' "${4:+subjectAltName=$4}")
  rm -f "$1.csr"
}

modulus() { # modulus KEYFILE: as bytes
  openssl rsa -in "$1" -noout -modulus | sed 's/^Modulus=//; s/../\\x&/g' | tr -d '\n' |
    xargs -0 printf
}

make_secrets() { # TLS files are made once and copied, the rest is cheap
  local s=$dir/secrets t=$cache/tls-2 w store
  mkdir -p "$s"
  if [ ! -f "$t/done" ]; then
    w=$(mktemp -d "$cache/tls.XXXXXX")
    for ca in ca other-ca; do
      openssl req -x509 -newkey rsa:2048 -nodes -keyout "$w/$ca.key" -out "$w/$ca.pem" \
        -days 3650 -subj "/CN=Kafka test $ca" 2>/dev/null
    done
    make_cert "$w/server" localhost "$w/ca" "DNS:localhost,IP:127.0.0.1,IP:::1"
    make_cert "$w/client" alice "$w/ca" ""
    make_cert "$w/other-client" alice "$w/other-ca" ""
    cat "$w/server.key" "$w/server.pem" >"$w/server-store.pem"
    openssl pkcs8 -topk8 -in "$w/client.key" -out "$w/client-encrypted.key" \
      -passout pass:client-secret
    # As Java can read it: with no key that PBES2 encrypts.
    openssl pkcs8 -topk8 -v1 PBE-SHA1-3DES -in "$w/client.key" -passout pass:client-secret |
      cat - "$w/client.pem" >"$w/client-store.pem"
    openssl pkcs12 -export -in "$w/client.pem" -inkey "$w/client.key" -certfile "$w/ca.pem" \
      -out "$w/client.p12" -passout pass:client-secret
    openssl pkcs12 -export -in "$w/server.pem" -inkey "$w/server.key" -certfile "$w/ca.pem" \
      -out "$w/server.p12" -passout pass:server-secret
    for store in trust.p12:PKCS12 trust.jks:JKS; do
      keytool -importcert -noprompt -alias ca -file "$w/ca.pem" \
        -keystore "$w/${store%:*}" -storetype "${store#*:}" -storepass server-secret 2>/dev/null
    done
    openssl genrsa -out "$w/jwt.key" 2048 2>/dev/null
    printf '{"keys":[{"kty":"RSA","alg":"RS256","kid":"test","e":"AQAB","n":"%s"}]}\n' \
      "$(modulus "$w/jwt.key" | b64url)" >"$w/jwks.json"
    touch "$w/done"
    mv -T "$w" "$t" 2>/dev/null || rm -rf "$w"
  fi
  cp "$t"/* "$s/"
}

b64url() { base64 -w 0 | tr '+/' '-_' | tr -d '='; }

token() { # token USER [unsecured] [EXPIRY_S]
  local user=$1 alg=RS256 expiry=3600 t head body
  shift
  if [ "${1:-}" = unsecured ]; then alg=none; shift; fi
  [ -n "${1:-}" ] && expiry=$1
  t=$(date +%s)
  head=$(printf '{"alg":"%s","kid":"test","typ":"JWT"}' "$alg" | b64url)
  body='{"sub":"%s","iss":"kafka-test","aud":"kafka","scope":"kafka","iat":%d,"exp":%d}'
  # shellcheck disable=SC2059
  body=$(printf "$body" "$user" $((t - 10)) $((t + expiry)) | b64url)
  if [ $alg = none ]; then
    echo "$head.$body."
  else
    echo "$head.$body.$(printf '%s.%s' "$head" "$body" |
      openssl dgst -sha256 -sign "$dir/secrets/jwt.key" -binary | b64url)"
  fi
}

make_kdc() {
  local p u
  p=$(port_of 1 8)
  PATH=$PATH:/usr/sbin:/sbin
  need krb5kdc krb5-kdc
  need kadmin.local krb5-admin-server
  mkdir -p "$dir/kdc"
  cat >"$dir/krb5.conf" <<CONF
[libdefaults]
  default_realm = $realm
  dns_lookup_realm = false
  dns_lookup_kdc = false
  dns_canonicalize_hostname = true
  rdns = true
  udp_preference_limit = 1
  ticket_lifetime = 1h
[realms]
  $realm = {
    kdc = $host:$p
  }
[domain_realm]
  localhost = $realm
  127.0.0.1 = $realm
CONF
  cat >"$dir/kdc/kdc.conf" <<CONF
[kdcdefaults]
  kdc_listen = $host:$p
  kdc_tcp_listen = $host:$p
[realms]
  $realm = {
    database_name = $dir/kdc/principal
    key_stash_file = $dir/kdc/stash
    acl_file = $dir/kdc/acl
  }
CONF
  export KRB5_CONFIG=$dir/krb5.conf KRB5_KDC_PROFILE=$dir/kdc/kdc.conf
  kdb5_util create -s -r "$realm" -P master-secret >/dev/null 2>&1
  {
    echo "addprinc -randkey kafka/localhost"
    echo "ktadd -k $dir/secrets/kafka.keytab kafka/localhost"
    for u in admin alice bob; do
      echo "addprinc -pw $u-secret $u"
      echo "ktadd -norandkey -k $dir/secrets/$u.keytab $u"
    done
  } | kadmin.local -r "$realm" >"$dir/kdc/setup.log" 2>&1
  start_kdc
}
