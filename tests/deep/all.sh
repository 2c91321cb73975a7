#!/usr/bin/env bash
# make test-deep: what takes minutes. The package that `make deb` built is installed in a clean Debian root and purged; stations join
# over simulated radios; the disk is built around it and boots; every fuzz target gets its time. Needs root for the owners of files inside the roots.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/run/environment.sh
steps_title="make test-deep"
source tests/run/steps.sh

step "install what is missing" tests/run/install.sh build deep deb image
step "the package in a clean Debian root" tests/deep/package.sh
step "stations over simulated radios" tests/radio/run.sh
step "the image" image-build/image.sh
step "the image boots and serves" tests/deep/boot.sh
step "fuzzing, 10 s a target" tests/deep/fuzz.sh
