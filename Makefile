# Recoup's commands. `make` alone lists them.

PYTHON ?= python3
STACK := $(PYTHON) tests/stack
VENV_BIN := .local/venv/bin
# The tests bring their own stack, beside the one that may be running.
TEST_STACK := RECOUP_STATE=.local/test RECOUP_PORT=$(or $(RECOUP_TEST_PORT),4577) RECOUP_STRIPE_STAND_IN=yes $(STACK) with

# nextest where it is installed, else what comes with Rust
CARGO_TEST := $(shell cargo nextest --version >/dev/null 2>&1 && echo cargo nextest run --no-fail-fast || echo cargo test --no-fail-fast)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help up down listen logs test fmt format-check lint unit receivers template deployed deployed-tests faults fault-tests contract contract-tests clients client-tests localstripe sam-local tools

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: tools ## Build, start the local stack, deploy, seed; print a curl to try
	@$(STACK) up

down: ## End the local stack
	@$(STACK) down

listen: tools ## Print the webhooks that arrive on 127.0.0.1:8788
	@$(STACK) listen

logs: tools ## Follow what the functions of the local stack log
	@$(STACK) logs

test: format-check lint template unit receivers localstripe deployed sam-local ## Everything, from a fresh clone

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

unit: ## The tests that need no stack
	$(CARGO_TEST)

# Plain `cargo test`, which shows what the tests print: which languages were found.
receivers: tools ## The receivers of docs/webhooks.md, in every language that is installed
	cargo test --quiet -p recoup-receiver-tests -- --nocapture

deployed: tools ## The tests against functions, and the contract, on a stack of their own
	@$(TEST_STACK) $(MAKE) --no-print-directory deployed-tests fault-tests contract-tests client-tests

# Needs the values of a running stack in the environment: `. .local/env`
deployed-tests:
	$(CARGO_TEST) -p recoup-deployed-tests
	$(PYTHON) tests/docs

faults: tools ## Refunds whose calls to AWS fail, on a stack of their own
	@$(TEST_STACK) $(MAKE) --no-print-directory fault-tests

# Needs the values of a running stack; while they run, a function of that stack reaches AWS through a faulty proxy.
fault-tests:
	$(VENV_BIN)/python tests/faults process-refund $(CARGO_TEST) -p recoup-fault-tests --test calls --test proxy
	$(VENV_BIN)/python tests/faults settle-refund $(CARGO_TEST) -p recoup-fault-tests --test notices

contract: tools ## What openapi.yaml says, tried on a stack of its own
	@$(TEST_STACK) $(MAKE) --no-print-directory contract-tests

# Needs the values of a running stack, like the tests above; takes two minutes.
contract-tests: export HYPOTHESIS_STORAGE_DIRECTORY := .local/hypothesis
contract-tests:
	$(VENV_BIN)/schemathesis --config-file tests/openapi/schemathesis.toml run openapi.yaml

clients: tools ## Clients that are generated from openapi.yaml, on a stack of their own
	@$(TEST_STACK) $(MAKE) --no-print-directory client-tests

# Needs the values of a running stack, like the tests above.
client-tests:
	$(VENV_BIN)/python -m pytest -q -rs -p no:cacheprovider tests/clients

localstripe: tools ## The Stripe processor against localstripe
	@$(VENV_BIN)/python tests/localstripe $(CARGO_TEST) -p recoup-localstripe-tests

sam-local: tools ## sam build and sam local invoke, where Docker answers
	$(VENV_BIN)/python -m pytest -q -rs -p no:cacheprovider tests/sam_local

tools:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not found. Install Python 3.10 or newer, or name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(STACK) tools
