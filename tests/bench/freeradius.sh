#!/usr/bin/env bash
# freeradius.sh DIR USERS PORT ACCT_PORT: lays FreeRADIUS's configuration out in DIR/raddb: Debian's own, with one ECDSA P-256 server
# certificate, TTLS, PEAP and EAP-TLS over TLS up to 1.3, no session cache (its default), the users of the file USERS, and the client
# 127.0.0.1 with the secret testing123 (its default), listening on 127.0.0.1:PORT only. Accounting at 127.0.0.1:ACCT_PORT goes into an
# SQLite database that is synced on every commit (SQLite's default), and nowhere else. DIR/pki has ca.pem, client.pem and client.key.
# Start it by: freeradius -f -d DIR/raddb
set -euo pipefail
mkdir -p "$1"
dir=$(readlink -f "$1") users=$(readlink -f "$2")
raddb=$dir/raddb
port=$3 acct_port=$4
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

mkdir -p "$dir/pki" "$dir/log" "$dir/var/run/freeradius"
cd "$dir/pki"
key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null || openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }
key ca.key
openssl req -x509 -new -key ca.key -out ca.pem -days 30 -subj "/CN=Measurements CA" \
  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
key server.key
openssl req -new -key server.key -out server.csr -subj "/CN=radius.example"
printf 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth\nsubjectAltName=DNS:radius.example\n' >server.ext
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile server.ext -out server.pem 2>/dev/null
key client.key
openssl req -new -key client.key -out client.csr -subj "/CN=client"
printf 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=clientAuth\n' >client.ext
openssl x509 -req -in client.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile client.ext -out client.pem 2>/dev/null

as_root cp -a /etc/freeradius/3.0 "$raddb"
as_root chown -R "$(id -un)" "$raddb"
sed -i -e "s#default_eap_type = md5#default_eap_type = ttls#" \
  -e "s#/etc/ssl/private/ssl-cert-snakeoil.key#$dir/pki/server.key#" \
  -e "s#/etc/ssl/certs/ssl-cert-snakeoil.pem#$dir/pki/server.pem#" \
  -e "s#/etc/ssl/certs/ca-certificates.crt#$dir/pki/ca.pem#" \
  -e 's#tls_max_version = "1.2"#tls_max_version = "1.3"#' "$raddb/mods-available/eap"
sed -i -e "s#/etc/freeradius/3.0#$raddb#g" \
  -e "s#^localstatedir = .*#localstatedir = $dir/var#" \
  -e "s#^logdir = .*#logdir = $dir/log#" \
  -e "s#^raddbdir = .*#raddbdir = $raddb#" \
  -e 's#^\s*\(user\|group\) = freerad#\t\# &#' "$raddb/radiusd.conf"
# Instead of all addresses and the well-known ports: one socket. (The options -i and -p would leave out the virtual server.)
for site in default inner-tunnel; do
  awk '/^listen \{/ { skip = 1 } !skip { print } skip && /^}/ { skip = 0 }' "$raddb/sites-available/$site" >"$dir/site"
  cp "$dir/site" "$raddb/sites-available/$site"
done
sed -i "s#^server default {#&\nlisten {\n\ttype = auth\n\tipaddr = 127.0.0.1\n\tport = $port\n}\nlisten {\n\ttype = acct\n\tipaddr = 127.0.0.1\n\tport = $acct_port\n}#" "$raddb/sites-available/default"
# Accounting by its own queries for SQLite; without the detail file and utmp, which are written a second time and not synced.
sed -i -e 's#driver = "rlm_sql_null"#driver = "rlm_sql_sqlite"#' \
  -e "s#filename = \"/tmp/freeradius.db\"#filename = \"$dir/accounting.db\"#" \
  -e 's#busy_timeout = 200#busy_timeout = 5000#' "$raddb/mods-available/sql"
ln -sf ../mods-available/sql "$raddb/mods-enabled/sql"
# Logins stay without it, as they are measured.
for site in default inner-tunnel; do
  awk '/^accounting \{/ { inside = 1 } inside && /^\t(detail|unix)$/ { next } !inside && /^\t+-sql$/ { next } { print } inside && /^}/ { inside = 0 }' \
    "$raddb/sites-available/$site" >"$dir/site"
  cp "$dir/site" "$raddb/sites-available/$site"
done
cat "$users" "$raddb/mods-config/files/authorize" >"$dir/authorize"
cp "$dir/authorize" "$raddb/mods-config/files/authorize"
