# The developer tools: the one place of their versions.
#
# They are built from the Go module proxy into bin/ when a target first needs
# them, and again when a version here changes. They are not `tool` lines in
# go.mod: those would flow into the module graph of every plugin author.

BUF_VERSION                := v1.75.0
PROTOC_GEN_GO_VERSION      := v1.36.12
PROTOC_GEN_GO_GRPC_VERSION := v1.6.2
GOLANGCI_LINT_VERSION      := v2.15.0
GOFUMPT_VERSION            := v0.12.0
GOVULNCHECK_VERSION        := v1.9.0
GOTESTSUM_VERSION          := v1.13.0
# The last goreleaser that builds with this Go.
GORELEASER_VERSION         := v2.15.4
CYCLONEDX_VERSION          := v1.10.0

# $(call tool,NAME,PACKAGE,VERSION): defines NAME's stamp bin/.NAME-VERSION.
# The stamp carries the version, so a new version is a missing file and make
# builds it; the binary itself has the plain name that scripts call.
define tool
bin/.$(1)-$(3):
	@echo "tools: building $(1) $(3) (once)"
	@mkdir -p bin
	@rm -f bin/.$(1)-v*
	@GOBIN='$(CURDIR)/bin' GOFLAGS= CGO_ENABLED=0 go install -trimpath -ldflags='-s -w' $(2)@$(3)
	@touch $$@
TOOL_STAMPS += bin/.$(1)-$(3)
endef

$(eval $(call tool,buf,github.com/bufbuild/buf/cmd/buf,$(BUF_VERSION)))
$(eval $(call tool,protoc-gen-go,google.golang.org/protobuf/cmd/protoc-gen-go,$(PROTOC_GEN_GO_VERSION)))
$(eval $(call tool,protoc-gen-go-grpc,google.golang.org/grpc/cmd/protoc-gen-go-grpc,$(PROTOC_GEN_GO_GRPC_VERSION)))
$(eval $(call tool,golangci-lint,github.com/golangci/golangci-lint/v2/cmd/golangci-lint,$(GOLANGCI_LINT_VERSION)))
$(eval $(call tool,gofumpt,mvdan.cc/gofumpt,$(GOFUMPT_VERSION)))
$(eval $(call tool,govulncheck,golang.org/x/vuln/cmd/govulncheck,$(GOVULNCHECK_VERSION)))
$(eval $(call tool,gotestsum,gotest.tools/gotestsum,$(GOTESTSUM_VERSION)))
$(eval $(call tool,goreleaser,github.com/goreleaser/goreleaser/v2,$(GORELEASER_VERSION)))
$(eval $(call tool,cyclonedx-gomod,github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod,$(CYCLONEDX_VERSION)))

BUF           := bin/.buf-$(BUF_VERSION)
GENERATORS    := $(BUF) bin/.protoc-gen-go-$(PROTOC_GEN_GO_VERSION) bin/.protoc-gen-go-grpc-$(PROTOC_GEN_GO_GRPC_VERSION)
GOLANGCI_LINT := bin/.golangci-lint-$(GOLANGCI_LINT_VERSION)
GOFUMPT       := bin/.gofumpt-$(GOFUMPT_VERSION)
GOVULNCHECK   := bin/.govulncheck-$(GOVULNCHECK_VERSION)
GOTESTSUM     := bin/.gotestsum-$(GOTESTSUM_VERSION)
GORELEASER    := bin/.goreleaser-$(GORELEASER_VERSION)
CYCLONEDX     := bin/.cyclonedx-gomod-$(CYCLONEDX_VERSION)
