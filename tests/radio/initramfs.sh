#!/usr/bin/env bash
# initramfs.sh DOORPOST FOLDER: leaves FOLDER/vmlinuz and FOLDER/initramfs, a guest for run.sh: Debian's kernel with simulated radios, the
# access point and station programs of this machine, and the given binary. The parts that change rarely are kept in FOLDER; the kernel's
# package is downloaded once. Nothing is installed and nothing outside FOLDER is written.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH="$PATH:/usr/sbin:/sbin"
doorpost=$(realpath "$1")
mkdir -p "$2"
folder=$(realpath "$2")
# Radios; VLAN interfaces, bridges and cables; the ciphers that 802.11 uses.
MODULES=(mac80211_hwsim 8021q bridge veth ccm cmac gcm ctr)
PROGRAMS=(dash hostapd hostapd_cli wpa_supplicant wpa_cli iw ip jq openssl)

# The machine's own kernel has no simulated radios, so Debian's is taken, whatever version the archive has now.
kernel_package() {
  local package
  if ! compgen -G "$folder/linux-image-*.deb" >/dev/null; then
    package=$(apt-cache depends linux-image-amd64 | awk '$1 == "Depends:" { print $2; exit }')
    if [ -z "$package" ] || ! (cd "$folder" && apt-get download -qq "$package" 2>/dev/null); then
      if [ "$(id -u)" = 0 ]; then apt-get update -qq; else sudo apt-get update -qq; fi
      package=$(apt-cache depends linux-image-amd64 | awk '$1 == "Depends:" { print $2; exit }')
      (cd "$folder" && apt-get download -qq "$package")
    fi
  fi
  printf '%s\n' "$folder"/linux-image-*.deb | tail -n 1
}

pack() { (cd "$1" && find . -print0 | LC_ALL=C sort -z | cpio --null --quiet -o -H newc -R 0:0) | zstd -q -T0 -3 -f -o "$2"; }

libraries() { ldd "$@" | grep -o '/[^ ]*[^ :]' | sort -u; }
# put ROOT FILE...: files at their own places, each with the libraries that it loads.
put() {
  local root=$1 file place
  shift
  for file in "$@" $(libraries "$@"); do
    place=$(readlink -f "$(dirname "$file")")
    mkdir -p "$root$place"
    cp -L "$file" "$root$place/${file##*/}"
  done
}

# base ROOT DEB: everything but the product and the test.
base() {
  local root=$1 version name module
  mkdir -p "$root"/{dev,proc,sys,run,tmp,etc,root,usr/bin,usr/sbin,usr/lib,usr/lib64,var/run,modules}
  for name in bin sbin lib lib64; do ln -s "usr/$name" "$root/$name"; done
  for name in "${PROGRAMS[@]}"; do put "$root" "$(command -v "$name")"; done
  ln -s dash "$root/usr/bin/sh"
  cp "$(command -v busybox)" "$root/usr/bin/busybox"
  # busybox fills in what is not there: iproute2's `ip` and dash stay themselves.
  for name in $(busybox --list); do [ -e "$root/usr/bin/$name" ] || [ -e "$root/usr/sbin/$name" ] || ln -s busybox "$root/usr/bin/$name"; done
  # Without them hostapd says "Failed to initialize TLS"; `legacy` opens the PKCS#12 that old systems can read.
  mkdir -p "$root/usr/lib/ssl"
  cp /etc/ssl/openssl.cnf "$root/usr/lib/ssl/openssl.cnf"
  put "$root" /usr/lib/x86_64-linux-gnu/ossl-modules/*.so
  cp -r --parents /usr/share/zoneinfo/Europe/Copenhagen "$root"

  dpkg -x "$2" "$root.kernel"
  version=$(ls "$root.kernel/lib/modules")
  cp "$root.kernel/boot/vmlinuz-$version" "$folder/vmlinuz"
  depmod -b "$root.kernel" "$version"
  for module in "${MODULES[@]}"; do modprobe -d "$root.kernel" -S "$version" --show-depends "$module"; done |
    awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r module; do
      cp "$module" "$root/modules/"
      echo "/modules/${module##*/}"
    done > "$root/modules/order"
  grep -q mac80211_hwsim "$root/modules/order"
}

work=$(mktemp -d "${TMPDIR:-/tmp}/doorpost-radio.XXXXXX")
trap 'rm -rf "$work"' EXIT
deb=$(kernel_package)
# What the base is made of: when any of it changes it is made anew.
key=$({ cat "$0"; basename "$deb"; dpkg-query -W -f='${Package} ${Version}\n' hostapd wpasupplicant iw iproute2 busybox-static jq openssl libssl3 dash libc6; } | sha256sum | cut -c1-16)
if [ ! -f "$folder/base-$key" ] || [ ! -f "$folder/vmlinuz" ]; then
  rm -f "$folder"/base-*
  base "$work/base" "$deb"
  pack "$work/base" "$work/packed"
  mv "$work/packed" "$folder/base-$key"
fi

mkdir -p "$work/top/usr/bin"
cp -r tests/radio/guest "$work/top/radio"
ln -s radio/init.sh "$work/top/init"
cp "$doorpost" "$work/top/usr/bin/doorpost"
strip "$work/top/usr/bin/doorpost"
mapfile -t needed < <(libraries "$doorpost")
put "$work/top" "${needed[@]}"
pack "$work/top" "$work/packed"
# The kernel unpacks archives that follow each other.
cat "$folder/base-$key" "$work/packed" > "$folder/initramfs"
