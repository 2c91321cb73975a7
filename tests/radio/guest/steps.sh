# shellcheck shell=dash
# What is shown over the radios, in order. Every `shown` line is one that run.sh expects.
set -u
# shellcheck source=tests/radio/guest/world.sh
. /radio/world.sh
export DOORPOST_DATA=/data
ANONYMOUS='anonymous_identity="@harbour.example"
  ca_cert="/data/pki/ca.pem"
  domain_match="doorpost.harbour.example"
  key_mgmt=WPA-EAP
  ssid="Harbour Works"
  scan_freq=2412'

ip link set lo up
start_box
for vlan in 10 11 12; do serve $vlan; done
wire
radio laptop 2
radio tablet 3
radio phone 4
radio sensor 5
radio stranger 6
box_is_up
member ada ''
member bea studio
member cyd workshop
shown "the box runs beside seven radios"

hostapd -B -t -f /tmp/lobby.log /radio/lobby.conf || failed "hostapd of lobby"
ip netns exec things hostapd -B -t -f /tmp/things.log /radio/things.conf || failed "hostapd of things"
# What cannot do 802.1X: a passphrase for one device, and another device that knows it.
passphrase=$(doorpost wifi passphrase "$(id bea)" --mac "$(mac sensor)" --json | jq -r .password)
for name in sensor stranger; do
  join $name <<NETWORK
  ssid="Harbour Things"
  scan_freq=2437
  key_mgmt=WPA-PSK
  psk="$passphrase"
NETWORK
done
lands sensor things 11
until_so 20 "a stranger with that passphrase is refused" said stranger CTRL-EVENT-AUTH-REJECT
! is_completed stranger || failed "a stranger is connected"
shown "a registered device by its own passphrase: on VLAN 11; another device with that passphrase is refused"

issued=$(doorpost wifi issue "$(id ada)" --label Laptop --json) || failed "a key for ada"
join laptop <<NETWORK
  $ANONYMOUS
  eap=PEAP
  phase2="auth=MSCHAPV2"
  identity="$(printf %s "$issued" | jq -r .username)"
  password="$(printf %s "$issued" | jq -r .password)"
NETWORK
lands laptop lobby 10
shown "PEAP/MSCHAPv2 over $(tls laptop): on VLAN 10"

issued=$(doorpost wifi issue "$(id bea)" --label Tablet --json) || failed "a key for bea"
join tablet <<NETWORK
  $ANONYMOUS
  eap=TTLS
  phase2="auth=PAP"
  identity="$(printf %s "$issued" | jq -r .username)"
  password="$(printf %s "$issued" | jq -r .password)"
NETWORK
lands tablet lobby 11
shown "TTLS/PAP over $(tls tablet): on VLAN 11"

# The default PKCS#12, as wpa_supplicant reads it. The VLAN of cyd's team is withheld until it is tested: by this device.
issued=$(doorpost wifi certificate "$(id cyd)" --label Phone --out /tmp/phone.p12 --json) || failed "a certificate for cyd"
state=$(doorpost wifi networks --json | jq -r '.networks[] | select(.name == "workshop") | .state')
[ "$state" = untested ] || failed "the network is $state"
state=$(doorpost wifi test workshop --member "$(id cyd)" --json | jq -r .state)
[ "$state" = testing ] || failed "the network is $state"
join phone <<NETWORK
  $ANONYMOUS
  eap=TLS
  phase1="tls_disable_tlsv1_3=0"
  identity="$(printf %s "$issued" | jq -r .identity)"
  private_key="/tmp/phone.p12"
  private_key_passwd="$(printf %s "$issued" | jq -r .password)"
NETWORK
lands phone lobby 12
mark phone
state=$(doorpost wifi test workshop --confirm --json | jq -r .state)
[ "$state" = tested ] || failed "the network is $state"
shown "EAP-TLS by a device certificate over $(tls phone): on VLAN 12, which it tests"

kept_apart laptop:10 tablet:11 phone:12 sensor:11
shown "no station reaches the host of another VLAN"

# The box is killed and started while the stations talk.
all_listed() { [ "$(sessions | wc -l)" = 4 ]; }
until_so 10 "the sessions are listed" all_listed
before=$(sessions)
mark laptop
mark tablet
mark sensor
ip netns exec laptop ping -i 0.2 -W 5 10.9.0.10 > /tmp/ping.log 2>&1 &
pinging=$!
pings() { grep -c ' seq=' /tmp/ping.log; }
goes_on() { [ "$(pings)" -gt "$1" ]; }
until_so 5 "ping begins" goes_on 0
kill_box
start_box
box_is_up
after=$(sessions)
until_so 5 "ping goes on" goes_on "$(pings)"
kill $pinging
wait $pinging
[ "$before" = "$after" ] || failed "the sessions were $before and are $after"
last=$(sed -n 's/.* seq=\([0-9]*\) .*/\1/p' /tmp/ping.log | tail -n 1)
[ $((last + 1)) = "$(pings)" ] || failed "of $((last + 1)) pings $(pings) were answered while the box was away"
for name in laptop tablet phone sensor; do
  is_completed $name || failed "$name is not connected after the box's restart"
  ! said $name CTRL-EVENT-DISCONNECTED || failed "$name lost its connection at the box's restart"
done
shown "the box's end by SIGKILL and its start again drop nobody: the same sessions, $(pings) pings answered and none lost"

# Not by the key that station and access point remember from the login before.
mark laptop
station laptop disconnect > /dev/null
station laptop pmksa_flush > /dev/null
station laptop reconnect > /dev/null
until_so 20 "a new login after the restart" said laptop CTRL-EVENT-EAP-SUCCESS
lands laptop lobby 10
shown "a new login after the restart"

# The sessions that are cut are from before the restart, at two access points.
for name in laptop tablet phone sensor; do mark $name; done
at=$(now)
doorpost member suspend "$(id bea)" > /dev/null || failed "member suspend"
answered=$(now)
both_cut() { said tablet CTRL-EVENT-DISCONNECTED && said sensor CTRL-EVENT-DISCONNECTED; }
until_so 10 "the suspended member's devices are cut" both_cut
cut=$(now)
[ $((cut - at)) -le 200 ] || failed "the suspended member's devices were cut after $(seconds $((cut - at)))"
shown "a suspension cuts both live associations $(seconds $((cut - at))) after the command was given (it took $(seconds $((answered - at))))"
until_so 20 "the next try is refused" said tablet CTRL-EVENT-EAP-FAILURE
! is_completed tablet || failed "the suspended member's device is connected"
! reaches tablet 11 || failed "the suspended member's device has traffic"
[ "$(why bea .now.code)" = member-suspended ] || failed "why does not say that the member is suspended"
shown "its next try is refused: $(why bea .now.sentence)"

# hostapd remembers for 30 s what it was told of a passphrase, and lets the device back without asking; each time it is cut anew.
until_so 60 "the next try by passphrase is refused" said sensor CTRL-EVENT-AUTH-REJECT
! is_completed sensor || failed "the suspended member's device is connected by its passphrase"
is_told() { [ "$(why bea '.past[0].code')" = member-suspended ]; }
until_so 10 "the refusal is told" is_told
for name in laptop phone; do ! said $name CTRL-EVENT-DISCONNECTED || failed "another member's device was cut too"; done
shown "the passphrase is refused too (cuts until the access point asked again: $(heard sensor CTRL-EVENT-DISCONNECTED))"
! grep ' ERROR ' /tmp/doorpost.log || failed "the box logged an error"
