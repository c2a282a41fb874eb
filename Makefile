# One door: everything a person or CI does here is a word of this file. `make` alone lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.NOTPARALLEL:

VENV := .venv
BIN := $(VENV)/bin
ifndef SEED
SEED := $(shell od -An -N4 -tu4 /dev/urandom | tr -d ' ')
endif

# glibc otherwise grows and trims the heap with every batch (design: 15 % of the CPU). 128 MiB stay before a trim, 16 MiB
# are taken at a time. The Procfile has the same two.
export MALLOC_TRIM_THRESHOLD_ ?= 134217728
export MALLOC_TOP_PAD_ ?= 16777216

# What an install or a build made is remembered by a stamp, so that a second call has nothing to do.
LOCKED := $(VENV)/locked.stamp
RUNTIME := $(VENV)/runtime.stamp
DEVELOPMENT := $(VENV)/development.stamp
NODE_MODULES := node_modules/.package-lock.json
FRONT_END := gateway/static/manifest.json
FRONT_END_SOURCES := $(shell find widget console build.mjs package.json tsconfig*.json -type f -not -path '*/node_modules/*' 2>/dev/null)

PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-virtualenv

## run         the demo on http://127.0.0.1:8000: installs, builds, migrates and seeds what is missing
.PHONY: run
run: $(RUNTIME) $(FRONT_END)
	$(BIN)/shopbell migrate
	$(BIN)/shopbell seed
	exec $(BIN)/shopbell serve

## check       format, lint, types, imports, audit: under a minute
.PHONY: check
check: $(DEVELOPMENT) $(NODE_MODULES)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	npm run --silent check
	$(BIN)/python setup/audit.py

## audit       known holes in locked dependencies, part of check; SHOPBELL_AUDIT=strict fails when nobody can be asked
.PHONY: audit
audit: $(DEVELOPMENT) $(NODE_MODULES)
	$(BIN)/python setup/audit.py

## test        check, then every test there is: two at a time, then one by one those that want the machine for themselves
PYTEST := SHOPBELL_SEED=$(SEED) $(BIN)/python -m pytest --hypothesis-seed=$(SEED)
.PHONY: test
test: check $(FRONT_END) browser servers
	npm test
	@echo "seed: $(SEED)   (again with the same: make test SEED=$(SEED))"
	$(PYTEST) -m "not chaos and not browser" --numprocesses=2 --dist=loadfile
	$(PYTEST) -m "chaos or browser"

## chaos       200 kills under load, the other faults, the laws and a hundred simulated weeks; takes two hours or so
.PHONY: chaos
chaos: $(DEVELOPMENT) $(FRONT_END) servers
	@echo "seed: $(SEED)   (again with the same: make chaos SEED=$(SEED))"
	SHOPBELL_KILLS=$${SHOPBELL_KILLS:-200} SHOPBELL_EXAMPLES=$${SHOPBELL_EXAMPLES:-2000} \
		SHOPBELL_CROWD=$${SHOPBELL_CROWD:-3000} SHOPBELL_STORM=$${SHOPBELL_STORM:-5000} \
		SHOPBELL_SENDS=$${SHOPBELL_SENDS:-50000} SHOPBELL_WEEKS=$${SHOPBELL_WEEKS:-100} \
		SHOPBELL_LOCKED_SECONDS=$${SHOPBELL_LOCKED_SECONDS:-30} SHOPBELL_SEED=$(SEED) \
		$(BIN)/python -m pytest tests/chaos tests/week tests/test_law.py tests/presence/test_truth.py \
		tests/chat/store/test_postgres_faults.py tests/gateway/bus \
		tests/gateway/test_sharing.py tests/gateway/test_stream_life.py --hypothesis-seed=$(SEED)

## fuzz        a million hostile frames at a real node
.PHONY: fuzz
fuzz: $(DEVELOPMENT)
	@echo "seed: $(SEED)   (again with the same: make fuzz SEED=$(SEED))"
	SHOPBELL_FRAMES=$${SHOPBELL_FRAMES:-1000000} SHOPBELL_SEED=$(SEED) $(BIN)/python -m pytest -s tests/fuzz

## bench       speed and size, against the bars of docs/performance.md
.PHONY: bench
bench: $(DEVELOPMENT) $(FRONT_END) servers
	$(BIN)/python -m bench

## bench-peers two nodes of ours beside two each of Channels and socket.io, which are installed into bench/peers
PEER_PYTHON := bench/peers/.venv/locked.stamp
PEER_NODE := bench/peers/node_modules/.package-lock.json
.PHONY: bench-peers
bench-peers: $(DEVELOPMENT) $(FRONT_END) servers $(PEER_PYTHON) $(PEER_NODE)
	$(BIN)/python -m bench nodes --out var/nodes.json

## build       the front end, into gateway/static
.PHONY: build
build: $(FRONT_END)

## docs        write the generated documents anew
.PHONY: docs
docs: $(DEVELOPMENT)
	$(BIN)/python -m gateway.docs

## picture     draw the README's picture anew, by letting two browsers talk
.PHONY: picture
picture: $(DEVELOPMENT) $(FRONT_END) browser
	$(BIN)/python -m tests.browser.picture

## lock        choose dependency versions anew, within pyproject.toml; make lock UPGRADE= keeps those that still fit
UPGRADE := --upgrade
COMPILE := $(BIN)/uv pip compile --quiet $(UPGRADE) --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command "make lock" pyproject.toml
.PHONY: lock
lock: $(VENV)/pyvenv.cfg
	$(PIP_INSTALL) uv
	$(COMPILE) --output-file requirements.lock
	$(COMPILE) --group dev --constraints requirements.lock --output-file requirements-dev.lock
	$(COMPILE:pyproject.toml=bench/peers/requirements.in) --output-file bench/peers/requirements.lock

## browser     Chromium and fonts for the browser tests (Debian, as root)
.PHONY: browser
browser:
	setup/browser

## servers     PostgreSQL, Redis and nginx, which the tests start for themselves (Debian, as root)
.PHONY: servers
servers:
	setup/servers

## clean       what was installed and built here; the data in var/ stays
.PHONY: clean
clean:
	rm -rf $(VENV) node_modules bench/peers/.venv bench/peers/node_modules gateway/static dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

## help        these words
.PHONY: help
help:
	@sed -n 's/^## /  make /p' $(MAKEFILE_LIST)

$(VENV)/pyvenv.cfg:
	setup/venv $(VENV)

$(LOCKED): requirements.lock | $(VENV)/pyvenv.cfg
	$(PIP_INSTALL) --require-hashes --requirement requirements.lock
	@touch $@

$(RUNTIME): $(LOCKED) pyproject.toml
	$(PIP_INSTALL) --no-deps --editable .
	@touch $@

$(DEVELOPMENT): requirements-dev.lock $(RUNTIME)
	$(PIP_INSTALL) --require-hashes --requirement requirements-dev.lock
	@touch $@

$(NODE_MODULES): package-lock.json
	npm ci --loglevel=error
	@touch $@

$(PEER_PYTHON): bench/peers/requirements.lock
	setup/venv bench/peers/.venv
	bench/peers/.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@

$(PEER_NODE): bench/peers/package-lock.json
	npm ci --prefix bench/peers --loglevel=error
	@touch $@

$(FRONT_END): $(NODE_MODULES) $(FRONT_END_SOURCES)
	npm run --silent build
	@touch $@
