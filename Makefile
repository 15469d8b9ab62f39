# Everything a checkout needs: Go and make. What else a target wants, it builds or installs, or it says what is missing.

GO      ?= go
BIN     := .cache/bin
LINT    := $(BIN)/golangci-lint
FUMPT   := $(BIN)/gofumpt
OUT     ?= bin/moongate
SEED    ?= 1
FUZZ    ?= 10s
TARGETS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

# Rooms whose tests run again under the race detector: more than one goroutine touches their state.
RACY    := $(wildcard replica journal effect view hub)

.PHONY: help build demo check static fmt vet test test-only race fuzz bench cross browser tools clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## one static binary, bin/moongate
	CGO_ENABLED=0 $(GO) build -trimpath -o $(OUT) ./cmd/moongate

demo: build ## a hub with gardens, wallets and shoppers, and a console to watch it in
	$(OUT) demo --seed $(SEED)

check: static ## format, lint, repository rules and the short tests
	$(GO) test -short ./...

static: tools ## format, lint and repository rules alone
	@unformatted="$$(find . -name '*.go' -not -path './.cache/*' -exec $(FUMPT) -l {} +)"; \
	if [ -n "$$unformatted" ]; then \
		echo "not formatted, run 'make fmt':"; echo "$$unformatted"; exit 1; \
	fi
	$(LINT) run ./...
	$(GO) test -count=1 -run '^TestRepo' .

fmt: tools ## format every file
	find . -name '*.go' -not -path './.cache/*' -exec $(FUMPT) -w {} +

test: browser $(BIN)/stripe-mock test-only ## every test, with what the tests need installed first

test-only: ## every test, installing nothing
	$(GO) test ./...

race: ## the short tests of the concurrent rooms under the race detector (needs a C compiler)
	@if [ -z "$(RACY)" ]; then echo "race: none of the concurrent rooms is here"; exit 0; fi; \
	if ! command -v "$$($(GO) env CC)" >/dev/null 2>&1; then \
		echo "race: no C compiler ($$($(GO) env CC)); the race detector needs one, e.g. apt-get install gcc libc6-dev"; exit 1; \
	fi; \
	echo "$(GO) test -race -short $(addprefix ./,$(addsuffix /...,$(RACY)))"; \
	$(GO) test -race -short $(addprefix ./,$(addsuffix /...,$(RACY)))

fuzz: ## each fuzzer for FUZZ (10s)
	scripts/fuzz.sh $(FUZZ)

bench: build ## the quick benchmarks
	$(OUT) bench --quick crossing
	$(OUT) bench --quick redirect

cross: ## binaries for Linux, macOS and Windows in dist/
	@mkdir -p dist; set -e; for t in $(TARGETS); do \
		os=$${t%/*}; arch=$${t#*/}; ext=; if [ $$os = windows ]; then ext=.exe; fi; \
		echo "dist/moongate-$$os-$$arch$$ext"; \
		CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch $(GO) build -trimpath -ldflags '-s -w' -o dist/moongate-$$os-$$arch$$ext ./cmd/moongate; \
	done

browser:
	@scripts/install-browser.sh

# Built from source at the versions that tools/go.mod pins, once; minutes the first time, nothing after.
tools: $(BIN)/.stamp

# The official mock of Stripe's interface, for the tests of its connector.
$(BIN)/stripe-mock: tools/go.mod tools/go.sum
	@mkdir -p $(BIN)
	cd tools && $(GO) build -ldflags '-s -w' -o ../$(BIN)/ github.com/stripe/stripe-mock

$(BIN)/.stamp: tools/go.mod tools/go.sum
	@mkdir -p $(BIN)
	@echo "building golangci-lint, gofumpt and stripe-mock into $(BIN) (once, some minutes)"
	cd tools && $(GO) build -ldflags '-s -w' -o ../$(BIN)/ tool
	@touch $@

clean: ## what the targets above made
	rm -rf bin dist .cache
