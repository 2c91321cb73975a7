#!/usr/bin/env bash
# make run: builds everything, starts the box on configs/demo.yaml in a fresh data folder beside simulated peers, and shows what happens
# until Ctrl-C. Nothing needs root but the installation of missing packages. DOORPOST_KEEP=1 keeps the folder.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/run/environment.sh

tests/run/install.sh build run
(cd web-ui && npm ci --no-fund --no-audit --loglevel=error && npm run --silent build)
# The same build that make test uses.
cargo build --workspace --all-targets --locked
bin=$PWD/${CARGO_TARGET_DIR:-target}/debug

folder=$(mktemp -d "${TMPDIR:-/tmp}/doorpost-demo.XXXXXX")
data=$folder/data
children=()
end() {
  trap - EXIT INT TERM
  for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done
  wait "${children[@]}" 2>/dev/null || true
  if [ -n "${DOORPOST_KEEP:-}" ]; then echo "kept: $folder"; else rm -rf "$folder"; fi
}
trap end EXIT
trap 'echo; exit 0' INT TERM

# Each in the background of this script, so that Ctrl-C reaches the script first and it ends them in order.
set -m
"$bin/doorpost" run --site configs/demo.yaml --data "$data" >"$folder/doorpost.log" 2>&1 </dev/null &
daemon=$!
children+=("$daemon")
until "$bin/doorpost" --data "$data" status >/dev/null 2>&1; do
  kill -0 "$daemon" 2>/dev/null || { cat "$folder/doorpost.log"; exit 1; }
  sleep 0.1
done
"$bin/peers" "$bin/doorpost" "$data" </dev/null &
peers=$!
children=("$peers" "$daemon")
until [ -f "$data/try/hello.pdf" ]; do
  kill -0 "$peers" 2>/dev/null || exit 1
  sleep 0.1
done
sleep 0.5
"$bin/doorpost" --data "$data" events --follow --limit 1 </dev/null &
children=("$!" "$peers" "$daemon")
set +m
# Until one of them ends by itself, which none should.
wait -n "$peers" "$daemon" || true
echo "ended by itself; the end of its log:"
tail -n 20 "$folder/doorpost.log"
exit 1
