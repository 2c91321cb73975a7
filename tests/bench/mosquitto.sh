#!/usr/bin/env bash
# mosquitto.sh DIR PORT: DIR/mosquitto.conf. Start it by: mosquitto -c DIR/mosquitto.conf
# Nagle's algorithm is off, as in Doorpost: Mosquitto's default would wait for acknowledgements.
set -euo pipefail
mkdir -p "$1"
cat >"$1/mosquitto.conf" <<CONF
listener $2 127.0.0.1
allow_anonymous true
set_tcp_nodelay true
persistence false
log_dest file $(readlink -f "$1")/mosquitto.log
CONF
