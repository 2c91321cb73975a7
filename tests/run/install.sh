#!/usr/bin/env bash
# install.sh GOAL...: puts in place what a goal of the Makefile needs and this machine lacks. Goals: build run test deep bench deb image.
# Debian packages by apt-get, Node by Debian or by its npm package, cargo's tools by cargo install. What is there is left alone.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/run/environment.sh

# Pinned, so that a new release of a tool cannot turn a green tree red.
CARGO_DENY=0.20.2 CARGO_NEXTEST=0.9.143 CARGO_DEB=3.8.0 CARGO_FUZZ=0.13.2 NODE=20

packages=() tools=() node=no
for goal in "$@"; do
  case $goal in
    build) packages+=(gcc libc6-dev make ca-certificates) node=yes ;;
    # eapoltest, freeradius-utils, cups-ipp-utils, mosquitto-clients, chromium: the real clients that the tests speak with.
    # tshark reads our RADIUS packets.
    # ippeveprinter (a real printer) needs avahi-daemon and dbus running. hostapd (a switch's port), wpasupplicant and
    # radsecproxy are started by the tests alone; iproute2 makes the network namespaces that they run in.
    test) packages+=(eapoltest freeradius-utils cups-ipp-utils avahi-daemon dbus mosquitto-clients chromium curl jq openssl
      procps shellcheck sqlite3 systemd hostapd wpasupplicant iproute2 radsecproxy tshark) tools+=("cargo-deny $CARGO_DENY" "cargo-nextest $CARGO_NEXTEST") ;;
    run) packages+=(eapoltest cups-ipp-utils mosquitto-clients) ;;
    # From busybox-static on: what tests/radio/initramfs.sh puts into its guest, and what packs it.
    deep) packages+=(g++ mmdebstrap qemu-system-x86 ovmf eapoltest cups-ipp-utils curl jq
      busybox-static cpio hostapd iproute2 iw kmod openssl tzdata wpasupplicant zstd) tools+=("cargo-fuzz $CARGO_FUZZ") ;;
    bench) packages+=(eapoltest freeradius cups-daemon cups-client cups-ipp-utils avahi-daemon dbus mosquitto mosquitto-clients openssl jq curl procps) ;;
    deb) packages+=(dpkg-dev fakeroot) tools+=("cargo-deb $CARGO_DEB") ;;
    image) packages+=(mmdebstrap e2fsprogs dosfstools mtools fdisk grub-pc-bin grub-efi-amd64-bin grub-common zstd) ;;
    *) echo "install.sh: unknown goal $goal" >&2; exit 2 ;;
  esac
done

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# Daemons among the packages (freeradius, cups, mosquitto) are started by the tests that need them, never by their installation:
# they would sit on the ports that Doorpost wants.
apt_install() {
  local policy=/usr/sbin/policy-rc.d ours=no
  if [ ! -e $policy ]; then
    ours=yes
    printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
    as_root chmod 755 $policy
  fi
  local result=0
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 update -qq &&
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install -y -qq --no-install-recommends "$@" ||
    result=$?
  if [ $ours = yes ]; then as_root rm -f $policy; fi
  return $result
}

missing=()
for package in $(printf '%s\n' "${packages[@]}" | sort -u); do
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "Debian packages: ${missing[*]}"
  apt_install "${missing[@]}"
fi

if ! command -v cargo >/dev/null; then
  echo "Rust is missing: install it by https://rustup.rs, then run this again." >&2
  exit 1
fi

node_is_new_enough() {
  command -v node >/dev/null && command -v npm >/dev/null &&
    node -e 'const [a, b] = process.versions.node.split("."); process.exit(+a > 20 || (+a === 20 && +b >= 19) ? 0 : 1)'
}
# Debian 12 has Node 18, the tools of the web UI want 20.19: Debian's npm fetches it as the package that Node is published in.
if [ $node = yes ] && ! node_is_new_enough; then
  command -v npm >/dev/null || apt_install nodejs npm
  echo "Node $NODE into .cache/node"
  npm install --no-fund --no-audit --loglevel=error --prefix .cache/node "node@$NODE" npm@11
  hash -r
  node_is_new_enough
fi

for tool in "${tools[@]}"; do
  read -r name version <<<"$tool"
  if ! command -v "$name" >/dev/null; then
    echo "$name $version"
    # Without optimisation: it is built once and used for seconds.
    CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --debug --locked "$name" --version "$version" --target-dir .cache/tools
  fi
done
