# shellcheck shell=dash
# Sourced by steps.sh: the guest's world. Words for waiting with a bound, for outcomes, and for stations, each of which is a radio in a
# network namespace of its own with a wpa_supplicant.

# Hundredths of a second since the guest's start.
now() { local up rest; read -r up rest < /proc/uptime; echo "${up%.*}${up#*.}"; }
step_began=$(now)
seconds() { printf '%d.%02d s' $(($1 / 100)) $(($1 % 100)); }
# shown OUTCOME: one line that run.sh looks for, with the time since the line before and since the start.
shown() {
  local at
  at=$(now)
  echo "radio: ok   $(seconds $((at - step_began)))	(at $(seconds "$at"))	$1"
  step_began=$at
}
# failed WHY: everything that was logged, and the end.
failed() {
  local log
  for log in /tmp/*.log; do echo "radio: ---- $log"; tail -n 120 "$log"; done
  echo "radio: ---- VLAN interfaces and stations"
  ip -br link
  ip -n things -br link
  for log in 10 11 12; do
    stations lobby $log
    stations things $log
  done
  echo "radio: FAILED: $1"
  exit 1
}
# until_so SECONDS WHAT COMMAND...: waits until the command succeeds.
until_so() {
  local bound=$(($(now) + $1 * 100)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ "$(now)" -lt "$bound" ] || failed "$what: not in time"
    sleep 0.1
  done
}

# serve VLAN: the bridge that hostapd puts this VLAN's devices into, with one host behind it. The hosts of all VLANs and all devices have
# addresses of one subnet, so that nothing but the VLAN keeps them apart; the box's own network has no address there.
serve() {
  ip netns add "host$1"
  ip link add "vlan$1" type bridge
  ip link set "vlan$1" up
  ip link add "cable$1" type veth peer name eth0 netns "host$1"
  ip link set "cable$1" master "vlan$1" up
  ip -n "host$1" addr add "10.9.0.$1/24" dev eth0
  ip -n "host$1" link set eth0 up
}

# wire: the second access point is a machine of its own, the namespace `things`, on a cable that carries the VLANs tagged.
wire() {
  local vlan
  ip netns add things
  iw phy "$(cat /sys/class/net/wlan1/phy80211/name)" set netns name things
  ip link add trunk type veth peer name eth0 netns things
  ip addr add 192.0.2.1/24 dev trunk
  ip link set trunk up
  ip -n things addr add 192.0.2.2/24 dev eth0
  ip -n things link set lo up
  ip -n things link set eth0 up
  for vlan in 10 11 12; do
    ip link add link trunk name "trunk.$vlan" type vlan id "$vlan"
    ip link set "trunk.$vlan" master "vlan$vlan" up
  done
}
# stations AP VLAN: those that hostapd's interface of this VLAN has.
stations() {
  case $1 in
    lobby) iw dev "wlan0.$2" station dump ;;
    things) ip netns exec things iw dev "wlan1.$2" station dump ;;
  esac
}

# radio NAME NUMBER: radio wlanNUMBER goes into the namespace NAME with the address 10.9.0.(100 + NUMBER).
radio() {
  local phy
  phy=$(cat "/sys/class/net/wlan$2/phy80211/name")
  ip netns add "$1"
  iw phy "$phy" set netns name "$1"
  ip -n "$1" link set lo up
  ip -n "$1" addr add "10.9.0.$((100 + $2))/24" dev "wlan$2"
  eval "wlan_$1=wlan$2 mac_$1=$(cat "/sys/class/ieee80211/$phy/macaddress" 2>/dev/null || ip netns exec "$1" cat "/sys/class/net/wlan$2/address")"
}
wlan() { eval "echo \$wlan_$1"; }
mac() { eval "echo \$mac_$1"; }

# join NAME: starts its wpa_supplicant on the network block in standard input.
join() {
  { printf 'ctrl_interface=/run/%s\nap_scan=1\nfast_reauth=1\nnetwork={\n' "$1"; cat; printf '}\n'; } > "/tmp/$1.conf"
  ip netns exec "$1" wpa_supplicant -D nl80211 -i "$(wlan "$1")" -c "/tmp/$1.conf" -f "/tmp/$1.log" -t -B >/dev/null || failed "wpa_supplicant of $1"
}
station() { local name=$1; shift; wpa_cli -p "/run/$name" -i "$(wlan "$name")" "$@"; }
status() { station "$1" status | sed -n "s/^$2=//p"; }
tls() { echo "$(status "$1" eap_tls_version), $(status "$1" 'EAP TLS cipher')"; }
is_completed() { [ "$(status "$1" wpa_state)" = COMPLETED ]; }
# said NAME PATTERN: whether its wpa_supplicant said so after the last `mark`; heard: how often.
mark() { eval "mark_$1=$(($(wc -l < "/tmp/$1.log") + 1))"; }
heard() { tail -n "+$(eval "echo \${mark_$1:-1}")" "/tmp/$1.log" | grep -c "$2"; }
said() { [ "$(heard "$1" "$2")" -gt 0 ]; }
reaches() { ip netns exec "$1" ping -q -c 1 -W 2 "10.9.0.$2" >/dev/null 2>&1; }
# held NAME AP VLAN: hostapd's interface of this VLAN has the station.
held() { stations "$2" "$3" 2>/dev/null | grep -q "^Station $(mac "$1") "; }

# lands NAME AP VLAN: connected with the 4-way handshake done, in this VLAN.
lands() {
  until_so 20 "$1 associates" is_completed "$1"
  held "$1" "$2" "$3" || failed "$2 does not hold $1 on VLAN $3"
  until_so 10 "$1 reaches the host of VLAN $3" reaches "$1" "$3"
}
# kept_apart NAME:VLAN...: all at once, each tries the hosts of the other VLANs, which answer in theirs.
kept_apart() {
  local pair vlan tries=
  for pair in "$@"; do
    for vlan in 10 11 12; do
      [ "$vlan" = "${pair#*:}" ] && continue
      reaches "${pair%:*}" "$vlan" &
      tries="$tries $!:${pair%:*}:$vlan"
    done
  done
  for pair in $tries; do ! wait "${pair%%:*}" || failed "a station reaches a host of another VLAN: ${pair#*:}"; done
}

# The box: the product as it is run.
starts=0
start_box() {
  starts=$((starts + 1))
  doorpost run --site /radio/site.yaml --data /data >> /tmp/doorpost.log 2>&1 &
  box=$!
}
is_up() { [ "$(grep -c ' ready addresses=' /tmp/doorpost.log)" = $starts ]; }
box_is_up() { until_so 30 "the box starts" is_up; }
kill_box() { kill -9 "$box"; wait "$box"; }
# member NAME TEAM: prints nothing; the id is kept for `id NAME`.
member() {
  local answer
  answer=$(doorpost member add --name "$1" --email "$1@example.org" --plan resident ${2:+--team "$2"} --json) || failed "member $1"
  eval "id_$1=$(printf '%s' "$answer" | jq -r .id)"
}
id() { eval "echo \$id_$1"; }
# why NAME PATH: what `doorpost why` tells about a member's Wi-Fi.
why() { doorpost why "$(id "$1")" wifi --json | jq -r "$2"; }
# sessions: the sessions that the box lists, as lines of id and device, in order.
sessions() { doorpost wifi sessions --json | jq -r '.sessions[] | select(.state == "open") | "\(.id) \(.mac)"' | sort; }
