# DMPool. `make run` and `make test` do all the set-up on a fresh machine.

# Tools of `make check`, pinned; they are not part of the module.
GOFUMPT     = mvdan.cc/gofumpt@v0.12.0
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOLANGCI    = github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  = -s -w -X main.release=$(VERSION)
DATA    ?= demo-data
ARCH    ?= $(shell dpkg --print-architecture 2>/dev/null)

SECONDS  ?= 60
ROUNDS   ?= 1000
CUTS     ?= 10
DURATION ?= 10m
DEBS     ?= $(wildcard dist/*.deb)

export PATH := $(PATH):/usr/local/go/bin
export CORE_TARBALL

.DEFAULT_GOAL := help
.PHONY: help run build test check bench bench-stratum fuzz torture soak screenshots deb deb-test image image-test image-powercuts release apt-repo clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: deps build ## run a whole pool on the practice chain, with two built-in miners
	@node="$$(scripts/bitcoind.sh)" && exec bin/dmpool demo --data-dir $(DATA) --bitcoind "$$node"

build: ## build bin/dmpool
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/dmpool ./cmd/dmpool

test: deps-test ## run every test: unit, real node, real browser, race detector
	scripts/test.sh

check: deps ## format, vet, lint, race tests, tidy: no warnings
	GOFUMPT=$(GOFUMPT) STATICCHECK=$(STATICCHECK) GOLANGCI=$(GOLANGCI) scripts/check.sh

bench: deps ## print the figures of the README for this machine
	scripts/bench.sh

bench-stratum: deps ## measure the Stratum server beside a bare echo server, one line of JSON
	scripts/bench-stratum.sh

fuzz: deps ## run each fuzz target for SECONDS=60
	scripts/fuzz.sh $(SECONDS)

torture: deps ## kill a mining pool ROUNDS=1000 times; no answered share may be lost
	ROUNDS=$(ROUNDS) scripts/torture.sh

soak: deps-test ## let all kinds of miners mine side by side for DURATION=10m
	DURATION=$(DURATION) scripts/soak.sh

screenshots: deps-test ## write pictures of all main pages to screenshots/
	scripts/screenshots.sh

deb: deps-deb ## build dist/dmpool_*.deb; ARCH=arm64 for boards, CORE_TARBALL=file brings a node along
	deb="$$(scripts/deb.sh $(ARCH))" && lintian --allow-root --fail-on error,warning "$$deb" && ls -sh "$$deb"

deb-test: deps-test deps-deb deps-publish ## install, break, remove and purge the package on a booted Debian 13
	scripts/deb-test.sh

image: deps-image deb ## make dist/dmpool-*-amd64.img.zst, a disk that a PC starts from; needs root
	version=$$(scripts/deb-version.sh) && scripts/image.sh "dist/dmpool_$${version}_amd64.deb" "dist/dmpool-$$version-amd64.img.zst"

image-test: image ## start that disk in an emulated PC: set-up, power cuts, a block
	scripts/image-test.sh TestImage

image-powercuts: image ## cut the power of a box that mines and pays CUTS=10 times
	CUTS=$(CUTS) scripts/image-test.sh TestPowerCuts

release: deps-release ## make, check and sign a release of a tagged commit; see scripts/release.sh
	scripts/release.sh $(RELEASE)

apt-repo: deps-publish ## put DEBS='dist/*.deb' into a signed apt repository; see scripts/apt-repo.sh
	scripts/apt-repo.sh $(DEBS)

clean: ## remove what was built and the pictures, and the practice chain of `make run`
	rm -rf bin dist screenshots $(DATA)

.PHONY: deps deps-test deps-deb deps-image deps-publish deps-release
deps:
	@scripts/deps.sh

deps-test:
	@scripts/deps.sh test

deps-deb:
	@ARCH=$(ARCH) scripts/deps.sh deb

deps-image:
	@scripts/deps.sh image

deps-publish:
	@scripts/deps.sh publish

deps-release: deps-test deps-image deps-publish
	@ARCH=amd64 scripts/deps.sh deb
	@ARCH=arm64 scripts/deps.sh deb
