#!/usr/bin/env bash
# boot.sh [IMAGE]: the disk boots in QEMU without KVM, through its own boot loader; says its claim code on the console; is claimed with it
# over HTTPS; serves a login and /readyz through forwarded ports; counts a PDF inside the sandbox of its unit; outlives its watchdog; and
# boots through EFI too. The disk itself is not written: QEMU works on a copy-on-write layer.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/deep/clients.sh

image=${1:-target/image/doorpost.img}
BOOT_MAX_S=600
# What an operator would do before the first start: describe the site. QEMU's own network makes every access point 10.0.2.2.
SECRET=a-secret-of-the-lobby
work=$(mktemp -d "${TMPDIR:-/tmp}/doorpost-boot.XXXXXX")
qemu=
end() {
  if [ -n "$qemu" ]; then kill "$qemu" 2>/dev/null || true; wait "$qemu" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap end EXIT

cp --sparse=always "$image" "$work/disk.img"
offset=$(($(sed -n 's/^name="root-a", start=\([0-9]*\),.*/\1/p' image-build/partitions.sfdisk) * 512))
sed -e 's/address: 127.0.0.1/address: 10.0.2.2/' -e 's/secret: testing123/secret: {file: lobby.secret}/' configs/site.yaml > "$work/site.yaml"
printf '%s\n' "$SECRET" > "$work/lobby.secret"
debugfs -w -f - "$work/disk.img?offset=$offset" > "$work/debugfs.log" 2>&1 <<COMMANDS
cd /etc/doorpost
rm site.yaml
write $work/site.yaml site.yaml
write $work/lobby.secret lobby.secret
COMMANDS
debugfs -R 'cat /etc/doorpost/site.yaml' "$work/disk.img?offset=$offset" 2>/dev/null | cmp -s - "$work/site.yaml" || { cat "$work/debugfs.log"; failed "the site file could not be put on the disk"; }

free_port() { # tcp or udp
  local port
  while port=$((20000 + RANDOM % 20000)); do ss -Hln"${1:0:1}" "sport = :$port" | grep -q . || break; done
  echo "$port"
}
https=$(free_port tcp) ipp=$(free_port tcp) radius=$(free_port udp)

# boot NAME QEMU_OPTION...
boot() {
  console=$work/$1.console
  shift
  qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 1024 -no-reboot -display none -monitor none -serial "file:$console" \
    -drive "file=$work/disk.img,format=raw,if=virtio,snapshot=on" \
    -nic "user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:$https-:443,hostfwd=tcp:127.0.0.1:$ipp-:631,hostfwd=udp:127.0.0.1:$radius-:1812" "$@" </dev/null 2>"$work/qemu.log" &
  qemu=$!
}
# until_said PATTERN: waits for the console to say it.
until_said() {
  local began=$SECONDS
  until grep -aq "$1" "$console" 2>/dev/null; do
    kill -0 "$qemu" 2>/dev/null || { tail -c 2000 "$console"; failed "QEMU ended: $(cat "$work/qemu.log")"; }
    [ $((SECONDS - began)) -lt $BOOT_MAX_S ] || { tail -c 4000 "$console"; failed "the console did not say \"$1\" in $BOOT_MAX_S s"; }
    sleep 1
  done
  echo "after $((SECONDS - began)) s the console says: $(grep -a "$1" "$console" | tail -n 1 | tr -d '\r' | sed 's/^.*\]: *//')"
}
ask() { curl -sS -k -m 30 --fail-with-body -b "$work/cookies" -c "$work/cookies" -H 'content-type: application/json' "$@"; }
box=https://127.0.0.1:$https

boot bios
until_said 'claim it with the code'
code=$(grep -a 'claim it with the code' "$console" | tail -n 1 | tr -d '\r' | grep -o '[0-9a-z]*-[0-9a-z]*-[0-9a-z]*-[0-9a-z]*$')
ask "$box/readyz" | jq -e .ready >/dev/null || failed "not ready"
ask "$box/api/claim" -H "origin: $box" -d "{\"code\": \"$code\", \"password\": \"four unrelated words suffice\"}" || failed "the code on the console does not claim the box"
echo "claimed with it"

member=$(ask "$box/api/members" -H "origin: $box" -d '{"name": "Ada Lindqvist", "email": "ada@example.org", "plan": "resident"}' | jq -r .id)
issued=$(ask "$box/api/members/$member/wifi-keys" -H "origin: $box" -d '{"label": "Laptop"}')
username=$(jq -r .username <<<"$issued") key=$(jq -r .password <<<"$issued")
for method in TTLS PEAP; do
  eapol_config "$work/$method.conf" "$username" "$key" "" doorpost.harbour.example $method
  sed -i '/ca_cert=/d' "$work/$method.conf"
  login "$work/$method.conf" 127.0.0.1 "$radius" "$SECRET" || failed "login by $method"
done
echo "serves a login by TTLS and by PEAP"
! login "$work/TTLS.conf" 127.0.0.1 "$radius" not-the-secret-of-it >/dev/null || failed "a wrong RADIUS secret is answered"

printf '%%PDF-1.4\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n2 0 obj\n<</Type/Pages/Count 1/Kids[3 0 R]>>\nendobj\n3 0 obj\n<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>\nendobj\nxref\n0 4\n0000000000 65535 f \n0000000009 00000 n \n0000000054 00000 n \n0000000105 00000 n \ntrailer\n<</Size 4/Root 1 0 R>>\nstartxref\n168\n%%%%EOF\n' > "$work/one.pdf"
ipptool -q -d filetype=application/pdf -f "$work/one.pdf" "ipps://${username%%@*}:$key@127.0.0.1:$ipp/ipp/print/front" print-job.test || failed "a print job is not taken"
for _ in $(seq 60); do
  job=$(ask "$box/api/print/jobs" | jq -c '.jobs[0]')
  [ "$(jq -r .pages <<<"$job")" = 1 ] && break
  sleep 1
done
[ "$(jq -r .pages <<<"$job")" = 1 ] || failed "the page counter does not work inside the unit's sandbox: $job"
echo "counts a page inside the unit's sandbox"

# WatchdogSec is 30: a service that did not feed it would have been killed, and its session with it.
sleep 35
ask "$box/api/status" | jq -e .signed_in >/dev/null || failed "the service was restarted"
ask "$box/readyz" | jq -e .ready >/dev/null || failed "not ready after a while"
echo "outlives its watchdog"
kill "$qemu"; wait "$qemu" 2>/dev/null || true

boot efi -bios /usr/share/ovmf/OVMF.fd
until_said 'claim it with the code'
ask "$box/readyz" | jq -e .ready >/dev/null || failed "not ready after booting by EFI"
echo "boots by EFI"
