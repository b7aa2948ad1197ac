# Every target works on a fresh clone: what it needs is built first, and only when it changed.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PORT ?= 8000
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export MALL_PORT ?= $(PORT)

SOURCES := $(shell find frontend -type d \( -name node_modules -o -name dist \) -prune -o -type f -print 2>/dev/null)

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/.bootstrap: requirements/bootstrap.txt
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or newer is needed ($(PYTHON) not found)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@touch $@

$(VENV)/.installed: $(VENV)/.bootstrap requirements/runtime.txt requirements/dev.txt setup.cfg pyproject.toml
	$(BIN)/uv pip install --quiet --system-certs --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/runtime.txt -r requirements/dev.txt
	$(BIN)/uv pip install --quiet --system-certs --python $(BIN)/python --no-build-isolation --no-deps --editable .
	@touch $@

frontend/node_modules/.installed: frontend/package.json frontend/package-lock.json frontend/.npmrc | $(VENV)/.installed
	cd frontend && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

frontend/dist/.built: frontend/node_modules/.installed $(SOURCES)
	cd frontend && npm run --silent build
	@touch $@

.PHONY: setup
setup: $(VENV)/.installed frontend/dist/.built ## virtual environment, packages, built pages

.PHONY: up
up: setup ## the mall on PORT (8000) with the demo world; Ctrl-C stops it
	@exec $(BIN)/mall up

.PHONY: lint
lint: $(VENV)/.installed frontend/node_modules/.installed ## ruff, mypy, import rules, eslint, vue-tsc
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd frontend && npm run --silent lint && npm run --silent typecheck
	scripts/check_api_types

.PHONY: test
test: setup lint ## set-up, lint, all tests on the embedded parts, browser smoke test
	cd frontend && npm test --silent
	scripts/run_tests

.PHONY: stack
stack: ## MariaDB, Elasticsearch, Redis, RabbitMQ, stripe-mock: private, healthy; prints the settings
	@$(PYTHON) scripts/stack up

.PHONY: stack-down
stack-down: ## stop them; the data in var/stack stays
	@$(PYTHON) scripts/stack down

.PHONY: up-stack
up-stack: setup ## the mall on the full stack
	@settings="$$($(PYTHON) scripts/stack up)" && eval "$$settings" && exec $(BIN)/mall up

.PHONY: test-stack
test-stack: setup ## the tests of every part again, on the full stack, and those of the stack itself
	@settings="$$($(PYTHON) scripts/stack up)" && eval "$$settings" && scripts/run_tests stack

.PHONY: bench
bench: setup ## every figure beside its raw floor, into var/bench.json
	@mkdir -p var
	$(BIN)/mall bench all --json > var/bench.json
	$(BIN)/mall bench show var/bench.json

.PHONY: clean
clean: ## remove what was built; the data in var/ stays
	rm -rf $(VENV) build frontend/dist frontend/node_modules *.egg-info
