# Recoup's commands. `make` alone lists them.

PYTHON ?= python3
STACK := $(PYTHON) tests/stack
VENV_BIN := .local/venv/bin

# nextest where it is installed, else what comes with Rust
CARGO_TEST := $(shell cargo nextest --version >/dev/null 2>&1 && echo cargo nextest run --no-fail-fast || echo cargo test --no-fail-fast)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help up down listen logs admin tools test fmt format-check lint supply-chain sbom unit performance receivers scripts template newcomer deployed stack-tests role-tests deployed-tests faults fault-tests contract contract-tests clients client-tests localstripe sam-local python

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: python ## Build, start the local stack, deploy, seed; print a curl to try
	@$(STACK) up

down: python ## End the local stack
	@$(STACK) down

listen: python ## Print the webhooks that arrive on 127.0.0.1:8788
	@$(STACK) listen

logs: python ## Follow what the functions of the local stack log
	@$(STACK) logs

admin: python ## Run a command of admin on the local stack: make admin CMD='{"command":"latest_reports"}'
	@$(STACK) admin

tools: python ## Install cargo-lambda, the SAM CLI and the tests' tools into .local/venv/bin
	@$(STACK) tools

test: format-check lint template supply-chain unit receivers scripts localstripe newcomer sam-local ## Everything, from a fresh clone

fmt: ## Format the Rust sources
	cargo fmt --all

format-check:
	cargo fmt --all --check

lint: ## Clippy, warnings as errors
	cargo clippy --workspace --all-targets -- -D warnings

template: tools ## Check template.yaml and openapi.yaml
	$(VENV_BIN)/cfn-lint template.yaml
	AWS_DEFAULT_REGION=eu-central-1 SAM_CLI_TELEMETRY=0 $(VENV_BIN)/python -m samcli validate --lint
	$(VENV_BIN)/openapi-spec-validator openapi.yaml

# Two tools of cargo's, exactly; a repeat installs nothing.
CARGO_TOOLS := .local/cargo
CYCLONEDX := cargo-cyclonedx@0.5.9
DENY := cargo-deny@0.20.2

supply-chain: sbom ## What everything is built from: licences, sources, bans; advisories where their database is reachable
	cargo install --quiet --locked --root $(CARGO_TOOLS) $(DENY)
	$(CARGO_TOOLS)/bin/cargo-deny --locked check licenses bans sources
	@if $(CARGO_TOOLS)/bin/cargo-deny fetch db >/dev/null 2>&1; \
	then $(CARGO_TOOLS)/bin/cargo-deny --locked check advisories; \
	else echo "The database of advisories is not reachable: they were not checked."; fi

sbom: ## A CycloneDX list of what each function is made of, in .local/sbom
	cargo install --quiet --locked --root $(CARGO_TOOLS) $(CYCLONEDX)
	$(PYTHON) tests/stack/sbom.py $(CARGO_TOOLS)/bin/cargo-cyclonedx

unit: ## The tests that need no stack
	$(CARGO_TEST)

# As they are deployed; it takes minutes to link them.
performance: ## What the released functions cost: instructions (with valgrind), bytes, memory
	cargo build --release --locked -p create-refund -p relay-events -p process-refund
	cargo test --quiet -p recoup-performance -- --nocapture

# Plain `cargo test`, which shows what the tests print: which languages were found.
receivers: tools ## The receivers of docs/webhooks.md, in every language that is installed
	cargo test --quiet -p recoup-receiver-tests -- --nocapture

scripts: tools ## The scripts of docs/
	$(VENV_BIN)/python -m pytest -q -p no:cacheprovider tests/scripts

newcomer: tools ## README and docs/ as printed, in a copy of the checkout, and every test of the stack it starts
	@$(VENV_BIN)/python tests/newcomer $(MAKE) --no-print-directory stack-tests

deployed: python ## The tests against functions alone, on a stack of their own: the inner loop
	@$(STACK) with $(MAKE) --no-print-directory deployed-tests

# These need a running stack: they run under `.local/on-stack`.
stack-tests: role-tests deployed-tests fault-tests contract-tests client-tests

# What each function's role may touch, and what it may not.
role-tests:
	$(VENV_BIN)/python -m pytest -q -p no:cacheprovider tests/roles

# Each set of them runs beside what it needs: tests/deployed/__main__.py.
DEPLOYED := $(VENV_BIN)/python tests/deployed
DEPLOYED_TEST := $(CARGO_TEST) -p recoup-deployed-tests

deployed-tests:
	$(DEPLOYED) api $(DEPLOYED_TEST) --lib --test api

faults: python ## Refunds whose calls to AWS fail, on a stack of their own
	@$(STACK) with $(MAKE) --no-print-directory fault-tests

# While they run, a function of that stack reaches AWS through a faulty proxy.
fault-tests:
	$(DEPLOYED) faults process-refund $(DEPLOYED_TEST) --test calls --test proxy
	$(DEPLOYED) faults settle-refund $(DEPLOYED_TEST) --test notices

contract: python ## What openapi.yaml says, tried on a stack of its own
	@$(STACK) with $(MAKE) --no-print-directory contract-tests

# Takes two minutes.
contract-tests: export HYPOTHESIS_STORAGE_DIRECTORY := .local/hypothesis
contract-tests:
	$(VENV_BIN)/schemathesis --config-file tests/openapi/schemathesis.toml run openapi.yaml

clients: python ## Clients that are generated from openapi.yaml, on a stack of their own
	@$(STACK) with $(MAKE) --no-print-directory client-tests

client-tests:
	$(VENV_BIN)/python -m pytest -q -rs -p no:cacheprovider tests/clients

localstripe: tools ## The Stripe processor against localstripe
	@$(DEPLOYED) localstripe $(DEPLOYED_TEST) --test localstripe

sam-local: tools ## sam build and sam local invoke, where Docker answers
	$(VENV_BIN)/python -m pytest -q -rs -p no:cacheprovider tests/sam_local

python:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not found. Install Python 3.10 or newer, or name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
