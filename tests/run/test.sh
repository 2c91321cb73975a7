#!/usr/bin/env bash
# make test: everything but the long drills. One build of everything in the dev profile serves all tests: outside parts are optimised
# in it (profile.dev.package), so logins and hashes are quick, and no second build of the binary is paid for. The release build is
# made, installed and driven by make test-deep.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/run/environment.sh
steps_title="make test"
source tests/run/steps.sh

shell_scripts() { git ls-files -z --cached --others --exclude-standard '*.sh' .ci/run | xargs -0 shellcheck -x -S warning; }
npm_ci() { (cd "$1" && npm ci --no-fund --no-audit --loglevel=error); }
npm_run() { (cd "$1" && shift && npm run --silent "$@"); }
# A workspace of its own, which nothing else here builds.
fuzz_lock() { cargo metadata --locked --format-version 1 --manifest-path tests/fuzz/Cargo.toml >/dev/null; }

step "install what is missing" tests/run/install.sh build test
step "shell scripts (shellcheck)" shell_scripts
step "web UI: packages" npm_ci web-ui
step "web UI: types (svelte-check)" npm_run web-ui check
step "web UI: unit tests" npm_run web-ui test
step "web UI: build" npm_run web-ui build
step "cargo fmt" cargo fmt --all --check
step "cargo deny: bans, licences, sources" cargo deny --log-level error check bans licenses sources
step "the fuzz targets' lock file is up to date" fuzz_lock
step "build (dev profile)" cargo build --workspace --all-targets --locked
step "clippy" cargo clippy --workspace --all-targets --locked -- -D warnings
step "tests: unit, conformance, end to end, fuzz corpora" cargo nextest run --workspace --all-targets --locked --no-fail-fast
if [ -f tests/browser/package.json ]; then
  step "browser walk: packages" npm_ci tests/browser
  step "browser walk (Chromium)" npm_run tests/browser test
fi
