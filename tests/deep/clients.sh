# shellcheck shell=bash
# Sourced: real clients against a box that runs somewhere. `failed WHAT` ends the test.

failed() { echo "FAILED: $*" >&2; exit 1; }

# eapol_config FILE USERNAME PASSWORD CA SERVER_NAME METHOD (TTLS or PEAP)
eapol_config() {
  local phase2='auth=PAP'
  if [ "$6" = PEAP ]; then phase2='auth=MSCHAPV2'; fi
  cat > "$1" <<CONF
network={
  ssid="Harbour"
  key_mgmt=WPA-EAP
  eap=$6
  anonymous_identity="@${5#*.}"
  identity="$2"
  password="$3"
  ca_cert="$4"
  domain_match="$5"
  phase1="tls_disable_tlsv1_3=0"
  phase2="$phase2"
}
CONF
}

# login CONFIG ADDRESS PORT SECRET: a full login by eapol_test, session keys compared.
login() {
  local said
  said=$(eapol_test -c "$1" -a "$2" -p "$3" -s "$4" -t 20 2>&1) || { tail -n 30 <<<"$said"; return 1; }
  grep -q 'MPPE keys OK: 1' <<<"$said" || { tail -n 30 <<<"$said"; return 1; }
}
