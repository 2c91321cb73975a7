#!/usr/bin/env bash
# run.sh [FOLDER]: real 802.11 associations over simulated radios. Debian's kernel in QEMU (no KVM) has an access point (hostapd), stations
# (wpa_supplicant) each in a network namespace of its own, and the product beside them; guest/steps.sh says what is shown. Each step prints a
# line with its time; a line that is missing fails the test and shows the guest's log. The binary is $DOORPOST, else target/release/doorpost.
set -euo pipefail
cd "$(dirname "$0")/../.."
# From power-on to power-off; RADIO_MAX_S gives a machine that is busy with other things more.
max_s=${RADIO_MAX_S:-90}
folder=${1:-target/radio}
# The steps, as guest/steps.sh names them.
STEPS=(
  "the box runs beside seven radios"
  "a registered device by its own passphrase"
  "PEAP/MSCHAPv2"
  "TTLS/PAP"
  "EAP-TLS by a device certificate over TLSv1.3"
  "no station reaches the host of another VLAN"
  "the box's end by SIGKILL and its start again drop nobody"
  "a new login after the restart"
  "a suspension cuts both live associations"
  "its next try is refused"
  "the passphrase is refused too"
)

began=$SECONDS
tests/radio/initramfs.sh "${DOORPOST:-target/release/doorpost}" "$folder"
echo "the guest is packed in $((SECONDS - began)) s"

console=$(mktemp "${TMPDIR:-/tmp}/doorpost-radio.XXXXXX")
trap 'rm -f "$console"' EXIT
began=$SECONDS
ended=0
timeout --foreground --kill-after=5 "$max_s" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 1024 -no-reboot -display none -monitor none -nic none \
  -serial stdio -kernel "$folder/vmlinuz" -initrd "$folder/initramfs" -append "console=ttyS0 panic=-1 quiet" </dev/null 2>&1 |
  tr -d '\r' | tee "$console" | grep --line-buffered -a '^radio: ok' | sed -u 's/^radio: //' || ended=$?
missing=()
for step in "${STEPS[@]}"; do grep -aqF "	$step" "$console" || missing+=("$step"); done
if [ ${#missing[@]} -gt 0 ] || [ $ended != 0 ] || grep -aq '^radio: FAILED' "$console"; then
  cat "$console"
  grep -a '^radio: FAILED' "$console" || true
  echo "FAILED: after $((SECONDS - began)) s (QEMU and its pipe: $ended) these were not shown: $(printf '"%s" ' "${missing[@]}")" >&2
  exit 1
fi
echo "${#STEPS[@]} steps in $((SECONDS - began)) s"
