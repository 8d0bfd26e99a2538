# Writ. `make demo` shows the main job; `make test` runs every test. Both install or name what is missing.
SHELL := /bin/bash
BIN := $(CURDIR)/build/bin
TOOLS := $(CURDIR)/build/tools
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X github.com/writhq/writ/pkg/version.value=$(VERSION)
export CGO_ENABLED ?= 0

.PHONY: build demo test e2e race fuzz faults bench lint generate generate-check tools clean

build:
	@mkdir -p $(BIN)
	go build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/ ./controlplane/cmd/writ-controlplane ./edgeagent/cmd/writ-edge ./pkg/cli/cmd/writ

# generate rewrites the committed code beside the protos; it needs npm for buf.
generate: $(TOOLS)/.generate
	PATH="$(TOOLS):$(TOOLS)/node/bin:$$PATH" buf lint
	PATH="$(TOOLS):$(TOOLS)/node/bin:$$PATH" buf generate --template proto/buf.gen.access.yaml --path proto/access
	PATH="$(TOOLS):$(TOOLS)/node/bin:$$PATH" buf generate --template proto/buf.gen.edge.yaml --path proto/edge

generate-check: generate
	@git diff --exit-code -- proto || { echo "error: generated code is stale; run make generate and commit"; exit 1; }

$(TOOLS)/.generate: Makefile
	@mkdir -p $(TOOLS)
	GOBIN=$(TOOLS) go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
	GOBIN=$(TOOLS) go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2
	GOBIN=$(TOOLS) go install connectrpc.com/connect/cmd/protoc-gen-connect-go@v1.21.1
	npm install --silent --no-fund --no-audit -g --prefix $(TOOLS)/node @bufbuild/buf@1.75.0
	@touch $@
