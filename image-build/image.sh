#!/usr/bin/env bash
# image.sh: target/image/doorpost.img, a bootable Debian 12 disk (BIOS and EFI) with target/debian/doorpost_*.deb in it.
# Debian's tools only, no loop device, no container; needs root for the owners of the files. SOURCE_DATE_EPOCH and MIRROR are honoured.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "$(id -u)" != 0 ]; then exec sudo --preserve-env=SOURCE_DATE_EPOCH,MIRROR,PATH "$0" "$@"; fi
source tests/run/environment.sh
tests/run/install.sh image

SUITE=bookworm
MIRROR=${MIRROR:-http://deb.debian.org/debian}
SECTOR_BYTES=512
out=target/image
deb=$(ls target/debian/doorpost_*.deb)
mkdir -p $out
work=$(mktemp -d "$PWD/$out/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
image=$work/doorpost.img

# What the box needs to start, to get an address and the time, and to be repaired; no compiler, no ssh.
packages=(systemd systemd-sysv systemd-resolved systemd-timesyncd udev dbus kmod iproute2 ca-certificates e2fsprogs
  initramfs-tools zstd linux-image-amd64 avahi-daemon less nano-tiny)

echo "root file system ($SUITE from $MIRROR)"
cp "$deb" "$work/doorpost.deb"
mmdebstrap --quiet --variant=minbase --mode=root \
  --aptopt='APT::Install-Recommends "false"' \
  --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-include=/usr/share/doc/*/copyright' --dpkgopt='path-include=/usr/share/doc/doorpost/*' \
  --include="$(IFS=,; echo "${packages[*]}")" \
  --customize-hook="copy-in $work/doorpost.deb /tmp" \
  --customize-hook='chroot "$1" apt-get install -y -qq --no-install-recommends /tmp/doorpost.deb' \
  --customize-hook='rm "$1/tmp/doorpost.deb"' \
  --customize-hook="cp -a --no-preserve=ownership image-build/root/. \"\$1/\"" \
  --customize-hook='install -D -m 644 image-build/grub.cfg "$1/boot/grub/grub.cfg"' \
  --customize-hook='echo doorpost > "$1/etc/hostname"; printf "127.0.0.1\tlocalhost doorpost\n::1\tlocalhost\n" > "$1/etc/hosts"' \
  --customize-hook='chroot "$1" systemctl enable -q doorpost-welcome.service systemd-networkd.service systemd-networkd-wait-online.service systemd-resolved.service systemd-timesyncd.service' \
  --customize-hook='install -d -m 700 "$1/var/lib/doorpost"' \
  --customize-hook='chroot "$1" passwd -q -l root' \
  --customize-hook=': > "$1/etc/machine-id"; rm -f "$1/var/lib/dbus/machine-id"; ln -sf ../run/systemd/resolve/stub-resolv.conf "$1/etc/resolv.conf"' \
  "$SUITE" "$work/root" "$MIRROR"
# Keys and databases are made by the first start, on the box itself: an image that holds one is not written.
if find "$work/root/var/lib/doorpost" "$work/root/etc/doorpost" -type f ! -name site.yaml | grep -q .; then
  echo "the image holds data of a running box" >&2
  exit 1
fi

echo "partitions"
# start and size of a partition, in sectors
place() { sed -n "s/^name=\"$1\", start=\([0-9]*\), size=\([0-9]*\),.*/\1 \2/p" image-build/partitions.sfdisk; }
read -r data_start data_size < <(place data)
truncate -s $(((data_start + data_size + 2048) * SECTOR_BYTES)) "$image"
sfdisk --quiet "$image" < image-build/partitions.sfdisk
read -r root_start root_size < <(place root-a)
mke2fs -q -t ext4 -L root-a -m 1 -d "$work/root" -E "offset=$((root_start * SECTOR_BYTES))" "$image" $((root_size / 2))k
mke2fs -q -t ext4 -L data -m 0 -E "offset=$((data_start * SECTOR_BYTES))" "$image" $((data_size / 2))k

echo "boot loaders"
# Both find the root partition by its label and read grub.cfg there.
printf 'search --no-floppy --label --set=root root-a\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n' > "$work/find-root.cfg"
modules=(part_gpt ext2 fat normal configfile linux search search_label serial terminal echo test minicmd sleep)
read -r esp_start esp_size < <(place esp)
truncate -s $((esp_size * SECTOR_BYTES)) "$work/esp"
mkfs.vfat -n ESP "$work/esp" >/dev/null
grub-mkimage -O x86_64-efi -p /boot/grub -c "$work/find-root.cfg" -o "$work/bootx64.efi" "${modules[@]}" efi_gop all_video
mmd -i "$work/esp" ::/EFI ::/EFI/BOOT
mcopy -i "$work/esp" "$work/bootx64.efi" ::/EFI/BOOT/BOOTX64.EFI
dd if="$work/esp" of="$image" bs=$SECTOR_BYTES seek="$esp_start" conv=notrunc,sparse status=none

# BIOS: what grub-bios-setup does on a mounted disk. The first sector's code (440 bytes, before the disk signature) loads one sector of the
# BIOS boot partition (its number stands at 0x5c); that sector loads the rest (a block list at its end: first sector, count, segment).
little_endian() { printf "%0${2}x\n" "$1" | fold -w2 | tac | while read -r byte; do printf "%b" "\\x$byte"; done; }
read -r bios_start bios_size < <(place bios)
grub-mkimage -O i386-pc -p /boot/grub -c "$work/find-root.cfg" -o "$work/core.img" biosdisk "${modules[@]}"
[ "$(stat -c %s "$work/core.img")" -le $((bios_size * SECTOR_BYTES)) ]
cp /usr/lib/grub/i386-pc/boot.img "$work/boot.img"
little_endian "$bios_start" 16 | dd of="$work/boot.img" bs=1 seek=$((0x5c)) conv=notrunc status=none
# As grub-bios-setup does for hard disks: a BIOS that hands over a drive number that cannot be is corrected (two no-operations for a jump).
printf '\x90\x90' | dd of="$work/boot.img" bs=1 seek=$((0x66)) conv=notrunc status=none
little_endian $((bios_start + 1)) 16 | dd of="$work/core.img" bs=1 seek=$((0x1f4)) conv=notrunc status=none
dd if="$work/boot.img" of="$image" bs=1 count=440 conv=notrunc status=none
dd if="$work/core.img" of="$image" bs=$SECTOR_BYTES seek="$bios_start" conv=notrunc status=none

mv "$image" $out/doorpost.img
[ -z "${SUDO_UID:-}" ] || chown -R "$SUDO_UID:$SUDO_GID" $out
ls -lsh $out/doorpost.img
