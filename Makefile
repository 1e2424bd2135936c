# Everything a developer or CI runs. `make` alone lists the targets.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

include build/tools.mk

MODULE      := github.com/rollback-project/rollback
WHAT        ?= all
FUZZTIME    ?= 10s
BENCHTIME   ?= 1s
# More flags for go test, such as -run=TestPlan.
TEST_FLAGS  ?=
# The share of core/ statements that the tests must reach, in percent.
COVERAGE    ?= 85

# The version stamp: see internal/buildinfo. A checkout without tags leaves the
# version to that package's default.
VERSION := $(patsubst v%,%,$(shell git describe --tags --match 'v[0-9]*' --dirty 2>/dev/null))
COMMIT  := $(shell git rev-parse HEAD 2>/dev/null)
DATE    := $(shell TZ=UTC git log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ 2>/dev/null)
STAMP   := $(MODULE)/internal/buildinfo
LDFLAGS := -s -w \
	$(if $(VERSION),-X $(STAMP).Version=$(VERSION)) \
	$(if $(COMMIT),-X $(STAMP).Commit=$(COMMIT)) \
	$(if $(DATE),-X $(STAMP).Date=$(DATE))

GO_BUILD := CGO_ENABLED=0 go build -trimpath -ldflags='$(LDFLAGS)'

# The plugin folders with a main package; each builds to an executable of its own.
PLUGINS := $(patsubst plugins/%/main.go,%,$(wildcard plugins/*/main.go))
# Modules that only hold tests, so that what they import stays out of go.mod.
TEST_MODULES := $(patsubst %/go.mod,%,$(wildcard test/*/go.mod))
PROTOS := $(wildcard sdk/proto/rollback/plugin/v1/*.proto)

##@ Build

.PHONY: build
build: bin/rollback plugins ## bin/rollback and the stand-alone plugins bin/rollback-KIND-NAME

# Go knows best what changed, so the targets are phony and Go's cache decides.
.PHONY: bin/rollback
bin/rollback:
	@echo "build: $@, with all plugins inside"
	@$(GO_BUILD) -o $@ ./cmd/rollback

.PHONY: plugins
plugins: $(PLUGINS:%=bin/rollback-%) ## only the plugins

.PHONY: $(PLUGINS:%=bin/rollback-%)
$(PLUGINS:%=bin/rollback-%): bin/rollback-%:
	@echo "build: $@"
	@$(GO_BUILD) -o $@ ./plugins/$*

.PHONY: generate
generate: $(GENERATORS) ## the Go code of the plugin protocol, from sdk/proto
	@build/generate.sh .

.PHONY: docs
docs: ## the pages of docs/ that are written from the code
	go run ./internal/docsgen

.PHONY: demo
demo: build ## a rollback from start to end in a sandbox on this machine
	@build/demo.sh

.PHONY: package
package: $(GORELEASER) $(CYCLONEDX) ## archives, deb, rpm, checksums and SBOMs of all platforms into dist/, unpublished (WHAT=quick: one platform)
	@build/package.sh $(WHAT)

.PHONY: clean
clean: ## removes what was built, but keeps the developer tools
	@rm -rf bin/rollback bin/rollback-* .cache coverage* test-report*

##@ Check

.PHONY: check
check: lint test ## what to run before each commit: lint and test

.PHONY: test
test: test-go test-ansible test-jenkins test-browser test-docs ## all tests

.PHONY: test-go
test-go: debian-packages $(GOTESTSUM) ## the tests in Go, with the race detector, in random order, and the coverage of core/
	@build/test.sh $(TEST_FLAGS)
	@$(MAKE) --no-print-directory cover-check

.PHONY: test-ansible
test-ansible: debian-packages bin/rollback ## the Ansible collection: lint, sanity, unit tests, and real playbooks against the sandbox
	@build/ansible.sh

.PHONY: test-jenkins
test-jenkins: debian-packages bin/rollback ## the pipelines for Jenkins, GitHub and GitLab: lint, and really executed against the sandbox
	@build/jenkins.sh

.PHONY: test-browser
test-browser: debian-packages bin/rollback ## the reports in a real browser
	@build/browser.sh

.PHONY: test-docs
test-docs: debian-packages ## the pages that walk somebody new through, followed to the letter in a clean clone
	@build/follow.sh docs/ansible.md docs/jenkins.md

.PHONY: chaos
chaos: ## ten thousand operations broken in random ways; the counts go to .cache/chaos.md
	@mkdir -p .cache
	CHAOS_RUNS=$${CHAOS_RUNS:-10000} CHAOS_TABLE=$(CURDIR)/.cache/chaos.md go test -count=1 -timeout=60m -run='^TestChaos$$' ./core
	@cat .cache/chaos.md

.PHONY: debian-packages
debian-packages: ## the Debian packages that the tests run as real servers
	@build/debian-packages.sh

.PHONY: cover-check
cover-check: ## is the coverage of core/ of the last `make test` high enough?
	@build/coverage.sh .cache/coverage.out $(COVERAGE)

.PHONY: cover
cover: test ## the coverage of core/ as a page: .cache/coverage.html
	@go tool cover -html=.cache/coverage.out -o .cache/coverage.html
	@echo "cover: .cache/coverage.html"

.PHONY: lint
lint: lint-go lint-proto breaking ## format, go vet, golangci-lint, go.mod, protocol and generated code

.PHONY: lint-go
lint-go: $(GOFUMPT) $(GOLANGCI_LINT)
	@build/lint.sh $(TEST_MODULES)

.PHONY: lint-proto
lint-proto: $(GENERATORS)
ifneq ($(PROTOS),)
	bin/buf lint
	bin/buf format --diff --exit-code
	@build/generate.sh --check
else
	@echo "lint: no sdk/proto yet"
endif

# AGAINST names another revision to compare with; AGAINST=none skips.
.PHONY: breaking
breaking: $(BUF) ## does the plugin protocol keep what the last release promised?
	@build/breaking.sh $(AGAINST)

.PHONY: vulncheck
vulncheck: $(GOVULNCHECK) ## known vulnerabilities in what the code really calls
	@build/vulncheck.sh

.PHONY: hygiene
hygiene: ## files too large or too long, unfinished marks, paths of one machine
	@build/hygiene.sh

.PHONY: fuzz
fuzz: ## each fuzz target for a short while (FUZZTIME=10s)
	@build/fuzz.sh $(FUZZTIME)

.PHONY: bench
bench: ## all benchmarks (BENCHTIME=1s); docs/performance.md says what they mean
	@build/bench.sh $(BENCHTIME)

##@ Tools

.PHONY: tools
tools: $(TOOL_STAMPS) ## the pinned developer tools, into bin/

.PHONY: help
help: ## this list
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
