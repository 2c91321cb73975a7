# Every goal installs what it is missing (Debian packages, Node packages, cargo tools). `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help run test check build bench deb image test-deep

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## the demo: Doorpost on configs/demo.yaml in a fresh data folder, beside simulated access points, printer, door; Ctrl-C ends it
	@tests/run/demo.sh

test: ## builds, lints and runs every test but the long drills
	@tests/run/test.sh

check: ## the fast subset, without installing anything
	@tests/run/check.sh

build: ## target/release/doorpost with the web UI inside
	@tests/run/build.sh

bench: ## measures what docs/benchmarks.md states, beside FreeRADIUS and CUPS on this machine
	@tests/bench/all.sh

deb: build ## target/debian/doorpost_*.deb
	@image-build/deb.sh

image: deb ## target/image/doorpost.img, a bootable Debian disk with the package in it
	@image-build/image.sh

test-deep: deb ## fuzzing time, the package in a clean Debian root, stations over simulated radios, the image in QEMU
	@tests/deep/all.sh
