#!/usr/bin/env bash
# make bench: measures what docs/benchmarks.md states, beside FreeRADIUS, CUPS and Mosquitto on this machine in the same run, and
# writes the tables of that page anew. `tests/bench/all.sh wifi` measures one part: memory, wifi, print or doors.
# Everything that is measured runs in the foreground from configurations of its own under target/bench, on free loopback ports.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/run/environment.sh
tests/run/install.sh bench
[ "${BENCH_BUILT:-no}" = yes ] || tests/run/build.sh
cargo build --release --locked -p tests --bin bench

# ippeveprinter announces itself: it wants avahi-daemon, which wants dbus. Where the machine has none running, they are started here
# and stopped by their own process ids.
started=()
stop_started() { [ ${#started[@]} = 0 ] || kill "${started[@]}" 2>/dev/null || true; }
trap stop_started EXIT
if ! avahi-daemon --check; then
  if [ ! -S /run/dbus/system_bus_socket ]; then
    mkdir -p /run/dbus
    dbus-daemon --system --nofork --nopidfile &
    started+=($!)
    until [ -S /run/dbus/system_bus_socket ]; do sleep 0.1; done
  fi
  avahi-daemon --no-drop-root --no-chroot >/dev/null 2>&1 &
  started+=($!)
  until avahi-daemon --check; do sleep 0.1; done
fi

target/release/bench "$@"
