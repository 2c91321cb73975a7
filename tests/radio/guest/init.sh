#!/bin/sh
# shellcheck shell=dash
# The first process of the guest: mounts, loads the modules, runs the test, powers off. The kernel's and the test's words go to the console.
export PATH=/usr/sbin:/usr/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
exec </dev/null >/dev/console 2>&1
stty -F /dev/console -onlcr 2>/dev/null
while read -r module; do
  case $module in
    */mac80211_hwsim.ko*) insmod "$module" radios=7 ;;
    *) insmod "$module" ;;
  esac || echo "radio: cannot load $module"
done < /modules/order
sh /radio/steps.sh || echo "radio: FAILED with $?"
poweroff -f
