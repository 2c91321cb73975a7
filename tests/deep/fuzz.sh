#!/usr/bin/env bash
# fuzz.sh [SECONDS]: every fuzz target for so long (10 s), with AddressSanitizer. What it finds is left in tests/fuzz/artifacts/NAME; the seeds of
# the tree are read, not written.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"
seconds=${1:-10}
# The sanitizer's flags are unstable ones; the compiler is the stable one that builds the product.
export RUSTC_BOOTSTRAP=1
found=$(mktemp -d)
trap 'rm -rf "$found"' EXIT

cargo fuzz build
for target in fuzz_targets/*.rs; do
  name=$(basename "$target" .rs)
  mkdir -p "$found/$name"
  log=$found/$name.log
  if cargo fuzz run "$name" "$found/$name" "corpus/$name" -- -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -verbosity=1 >"$log" 2>&1; then
    echo "$name: $(grep -a '^Done' "$log" || tail -n 1 "$log")"
  else
    tail -n 60 "$log"
    echo "$name: FAILED; the input is in tests/fuzz/artifacts/$name: add it to the corpus with the fix"
    exit 1
  fi
done
