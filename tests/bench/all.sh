#!/usr/bin/env bash
# make bench: measures what docs/benchmarks.md states, beside FreeRADIUS, CUPS and Mosquitto on this machine in the same run, and
# writes the tables of that page anew. `tests/bench/all.sh wifi` measures one part: memory, wifi, resumed, load, print or doors.
# Everything that is measured runs in the foreground from configurations of its own under target/bench, on free loopback ports.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/run/environment.sh
tests/run/install.sh bench
# BENCH_BUILT=yes measures what was built before.
if [ "${BENCH_BUILT:-no}" != yes ]; then
  tests/run/build.sh
  cargo build --release --locked -p tests --bin bench
fi

# ippeveprinter announces itself: it wants avahi-daemon, which wants dbus. Where the machine has none running, they are started here
# and stopped by their own process ids.
started=()
stop_started() { [ ${#started[@]} = 0 ] || kill "${started[@]}" 2>/dev/null || true; }
trap stop_started EXIT
bus_answers() { dbus-send --system --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.GetId >/dev/null 2>&1; }
wait_for() { for _ in $(seq 100); do if "$@"; then return; fi; sleep 0.1; done; echo "$* does not come up" >&2; exit 1; }
if ! avahi-daemon --check; then
  if ! bus_answers; then
    mkdir -p /run/dbus
    rm -f /run/dbus/system_bus_socket # of a bus that has ended
    dbus-daemon --system --nofork --nopidfile &
    started+=($!)
    wait_for bus_answers
  fi
  avahi-daemon --no-rlimits --no-drop-root --no-chroot >/dev/null 2>&1 &
  started+=($!)
  wait_for avahi-daemon --check
fi

target/release/bench "$@"
