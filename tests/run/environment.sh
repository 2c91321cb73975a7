# shellcheck shell=bash
# Sourced by the scripts of this folder, from the root of the tree: where the tools are that install.sh put in place.
export PATH="$PWD/.cache/node/node_modules/.bin:$PATH:/usr/sbin:/sbin:${CARGO_HOME:-${HOME:-}/.cargo}/bin"
export CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-auto}"
