#!/usr/bin/env bash
# make check: the fast subset, with what is on the machine already: no packages, no real clients, no browser.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/run/environment.sh
steps_title="make check"
source tests/run/steps.sh

step "cargo fmt" cargo fmt --all --check
step "clippy" cargo clippy --workspace --all-targets -- -D warnings
step "unit tests" cargo test --quiet --workspace --lib --bins
step "conformance and fuzz corpora" cargo test --quiet -p tests --test arrows --test shape --test replay
if [ -d web-ui/node_modules ]; then
  step "web UI: types" npm --prefix web-ui run --silent check
  step "web UI: unit tests" npm --prefix web-ui run --silent test
fi
