#!/usr/bin/env bash
# make build: target/release/doorpost with the web UI inside.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/run/environment.sh
tests/run/install.sh build
(cd web-ui && npm ci --no-fund --no-audit --loglevel=error && npm run --silent build)
cargo build --release --locked -p agentd
ls -l target/release/doorpost
