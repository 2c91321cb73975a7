#!/usr/bin/env bash
# package.sh [DEB]: the Debian package in a clean Debian 12 root: installs, starts with the very line of its unit as the very user, serves a
# login, survives an upgrade and a removal with its data, and is gone without a trace after purge. (Under systemd itself it runs in boot.sh.)
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "$(id -u)" != 0 ]; then exec sudo --preserve-env=MIRROR,PATH "$0" "$@"; fi
# A network of its own: the ports of the package's defaults are free there, and nobody else's daemon is in the way.
if [ -z "${IN_OWN_NETWORK:-}" ]; then
  root=$(mktemp -d "${TMPDIR:-/tmp}/doorpost-package.XXXXXX")
  trap 'rm -rf --one-file-system "$root"' EXIT
  # adduser and the like are not there: what the package needs it must ask for.
  mmdebstrap --quiet --variant=minbase --mode=root --aptopt='APT::Install-Recommends "false"' \
    bookworm "$root/debian" "${MIRROR:-http://deb.debian.org/debian}"
  cp "${1:-$(ls target/debian/doorpost_*.deb)}" "$root/debian/doorpost.deb"
  cp /etc/resolv.conf "$root/debian/etc/resolv.conf"
  chroot "$root/debian" apt-get update -qq
  chroot "$root/debian" apt-get install -y -qq --no-install-recommends /doorpost.deb > "$root/install.log" 2>&1 || { cat "$root/install.log"; exit 1; }
  IN_OWN_NETWORK=yes unshare --net --mount --pid --fork --kill-child "$0" "$root"
  exit
fi

source tests/deep/clients.sh
root=$1 debian=$1/debian
ip link set lo up
mount -t proc proc "$debian/proc"
mount --bind /dev "$debian/dev"
run() { chroot "$debian" "$@"; }

echo "installed"
[ -f "$debian/etc/doorpost/site.yaml" ] || failed "no site file"
run doorpost check /etc/doorpost/site.yaml
run test -f /usr/share/doc/doorpost/site.yaml -o -f /usr/share/doc/doorpost/site.yaml.gz || failed "no annotated site file"
zcat "$debian/usr/share/man/man1/doorpost.1.gz" | grep -q '^\.TH' || failed "no man page"
grep -q -- 'member' "$debian/usr/share/bash-completion/completions/doorpost" || failed "no completions"
[ -L "$debian/etc/systemd/system/multi-user.target.wants/doorpost.service" ] || failed "the unit is not enabled"
id=$(run id -u doorpost) || failed "no user"

# start: the ExecStart line of the unit, as its user, with its one capability, in its state folder.
line=$(sed -n 's/^ExecStart=//p' "$debian/lib/systemd/system/doorpost.service" 2>/dev/null || sed -n 's/^ExecStart=//p' "$debian/usr/lib/systemd/system/doorpost.service")
start() {
  install -d -m 0700 -o "$id" -g "$(run id -g doorpost)" "$debian/var/lib/doorpost"
  # shellcheck disable=SC2086 # the line is words
  chroot "$debian" setpriv --reuid doorpost --regid doorpost --init-groups --inh-caps=-all,+net_bind_service --ambient-caps=-all,+net_bind_service \
    --bounding-set=-all,+net_bind_service --no-new-privs $line > "$root/daemon.log" 2>&1 &
  daemon=$!
  for _ in $(seq 100); do
    run doorpost status >/dev/null 2>&1 && return
    kill -0 $daemon 2>/dev/null || break
    sleep 0.2
  done
  cat "$root/daemon.log"
  failed "it does not start"
}
stop() {
  kill $daemon
  wait $daemon || failed "it ended with $?: $(tail -n 5 "$root/daemon.log")"
}

start
run doorpost status | grep -q 'the code is' || failed "no claim code on a new box"
stop
echo "starts as it comes"

cp "$debian/usr/share/doc/doorpost/site.yaml" "$debian/etc/doorpost/site.yaml"
start
member=$(run doorpost member add --name 'Ada Lindqvist' --email ada@example.org --plan resident --json | jq -r .id)
issued=$(run doorpost wifi issue "$member" --json)
for method in TTLS PEAP; do
  eapol_config "$root/$method.conf" "$(jq -r .username <<<"$issued")" "$(jq -r .password <<<"$issued")" "$debian/var/lib/doorpost/pki/ca.pem" doorpost.harbour.example $method
  login "$root/$method.conf" 127.0.0.1 1812 testing123 || failed "login by $method: $(tail -n 20 "$root/daemon.log")"
done
curl -sS --fail --cacert "$debian/var/lib/doorpost/pki/ca.pem" --resolve doorpost.harbour.example:443:127.0.0.1 https://doorpost.harbour.example/readyz | jq -e .ready >/dev/null || failed "not ready"
echo "serves a login by TTLS and by PEAP, and /readyz"
[ "$(stat -c %u:%a "$debian/var/lib/doorpost")" = "$id:700" ] || failed "others can read the data"
stop

run dpkg -i /doorpost.deb > "$root/again.log" 2>&1 || { cat "$root/again.log"; failed "installing again"; }
grep -q 'Harbour Works' "$debian/etc/doorpost/site.yaml" || failed "an upgrade changed the site file"
start
run doorpost member show "$member" | grep -q 'Ada Lindqvist' || failed "an upgrade lost a member"
login "$root/TTLS.conf" 127.0.0.1 1812 testing123 || failed "login after an upgrade"
stop
echo "an upgrade keeps the site file, the members and their keys"

run apt-get remove -y -qq doorpost > "$root/remove.log" 2>&1 || { cat "$root/remove.log"; failed "remove"; }
[ ! -e "$debian/usr/bin/doorpost" ] && [ -d "$debian/var/lib/doorpost/pki" ] && [ -f "$debian/etc/doorpost/site.yaml" ] || failed "remove keeps data and site file, and only these"
run apt-get purge -y -qq doorpost > "$root/purge.log" 2>&1 || { cat "$root/purge.log"; failed "purge"; }
left=$(find "$debian" -xdev -path "$debian/proc" -prune -o -path "$debian/dev" -prune -o -iname '*doorpost*' ! -path "$debian/doorpost.deb" ! -path '*/var/lib/apt/*' ! -path '*/var/cache/apt/*' -print)
[ -z "$left" ] || failed "purge left $left"
! run id doorpost >/dev/null 2>&1 || failed "purge left the user"
echo "purge leaves nothing"
