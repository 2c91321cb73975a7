#!/usr/bin/env bash
# deb.sh: target/debian/doorpost_VERSION_ARCH.deb from target/release/doorpost. The binary itself writes its man page and completions.
# What stands in the package is listed in agent/agentd/Cargo.toml ([package.metadata.deb]); maintainer scripts in debian/.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/run/environment.sh
tests/run/install.sh deb

doorpost=target/release/doorpost
[ -x $doorpost ] || { echo "$doorpost is not there: make build" >&2; exit 1; }
rm -rf target/package
mkdir -p target/package target/debian
$doorpost man > target/package/doorpost.1
$doorpost completions bash > target/package/doorpost.bash
$doorpost completions zsh > target/package/_doorpost
$doorpost completions fish > target/package/doorpost.fish
rm -f target/debian/doorpost_*.deb
cargo deb --quiet -p agentd --no-build --no-strip --no-dbgsym --output target/debian/
ls -l target/debian/doorpost_*.deb
