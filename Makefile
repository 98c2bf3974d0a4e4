# Everything here sets itself up: environments in .venv, JavaScript in node_modules of three folders.
#   make test PYTHON=python3.13     another Python; make unit ARGS="-k presence"     arguments for the program

PYTHON ?= python3
ARGS ?=
FUZZ_SECONDS ?= 60
MINUTES ?= 10
ROUNDS ?= 50
SEED ?= 1
COUNT ?= 2000
NODES ?= 40
WORKERS ?= $(shell expr 2 '*' $$(nproc))
BUSY ?= 8
PYTHONS ?=
AGAIN ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check --no-input
# Node may stand in the environment, see tests/setup/node.sh. Playwright uses it too: the Node that it brings needs a
# library (libatomic) that a bare Debian lacks.
WITH_BIN := PATH="$(CURDIR)/$(BIN):$$PATH"

# Python's bytecode is kept: the tests start hundreds of programs, and each would compile the package again.
unexport PYTHONDONTWRITEBYTECODE

# One stamp for each thing that gets installed, all of them gone with the environment they stand in.
MADE := $(VENV)/.made-by-$(subst /,_,$(PYTHON))
DEMO := $(VENV)/.demo
TEST := $(VENV)/.test
BENCH := $(VENV)/.bench
BENCH_NODE := $(VENV)/.bench-node
CLIENTS := $(VENV)/.clients
FUZZ := $(VENV)/.fuzz
DOCS := $(VENV)/.docs
JAVASCRIPT := $(VENV)/.javascript
PAGE := $(VENV)/.page

NPM := npm ci --loglevel=error --no-audit --no-fund --no-update-notifier >/dev/null
NPM_FOLDER := tests/javascript
PAGE_FOLDER := phxactor/observer/page
BENCH_FOLDER := benchmarks/servers/node

.DEFAULT_GOAL := help
.PHONY: help demo page test lint types unit loaded coverage soak test-beam autobahn packages fuzz bench dist docs chromium \
	proxies wstest servers clean
.NOTPARALLEL: # the stamps share one environment
.DELETE_ON_ERROR:

help: ## list what make can do
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r goal text; do \
		printf '  make %-9s %s\n' "$$goal" "$$text"; done

demo: $(DEMO) $(PAGE) ## serve the chat demo on http://127.0.0.1:4000 (options: ARGS="...")
	@exec $(BIN)/phxactor demo $(ARGS)

page: $(PAGE) ## bundle the observer's page (preact, htm, uPlot, phoenix.js) into phxactor/observer/static

# The last two beside each other: one computes, and one waits for files and the network.
test: lint types unit ## lint, types, unit, test-beam and packages, as CI does
	@$(MAKE) --no-print-directory packages & packages=$$!; failed=0; \
		$(MAKE) --no-print-directory test-beam || failed=1; wait $$packages || failed=1; exit $$failed

lint: $(TEST) ## style (ruff) and layers (import-linter)
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check --quiet
	$(BIN)/lint-imports --no-logo

types: $(TEST) $(JAVASCRIPT) ## mypy --strict, and pyright on what users write
	$(BIN)/mypy
	@$(WITH_BIN) $(NPM_FOLDER)/node_modules/.bin/pyright --warnings

# Tests are spread over WORKERS processes, by default twice as many as there are cores, as some tests wait (see
# tests/spreading.py). WORKERS=0 runs all of them in one process. With AGAIN=yes, what has failed is run once more, alone,
# and the failures of the first run stay in the output: each is a test, or a program, that wants mending.
unit: $(TEST) $(CLIENTS) $(JAVASCRIPT) $(PAGE) chromium proxies wstest servers ## pytest (options: ARGS="..." WORKERS=2)
	@export $(WITH_BIN) && export PLAYWRIGHT_NODEJS_PATH="$$(command -v node)" && \
		{ $(BIN)/pytest --numprocesses $(WORKERS) $(ARGS) || { test $$? = 1 && test -n "$(AGAIN)" && \
		echo "what has failed is run once more, alone: what fails again has failed" && \
		$(BIN)/pytest --last-failed --last-failed-no-failures none $(ARGS); }; }

loaded: ## unit, while BUSY=8 other processes keep the machine busy
	@tests/setup/busy.sh $(BUSY) $(MAKE) --no-print-directory unit

autobahn: $(TEST) wstest ## Autobahn's long sections, which take minutes (others: ARGS="1 2")
	@$(BIN)/python -m tests.autobahn $(ARGS)

# Without what counts instructions or bytes, and the servers of others.
coverage: $(TEST) $(CLIENTS) $(JAVASCRIPT) $(PAGE) chromium proxies wstest servers ## lines and branches that no test runs, programs included
	@export $(WITH_BIN) && PLAYWRIGHT_NODEJS_PATH="$$(command -v node)" $(BIN)/pytest --numprocesses $(WORKERS) \
		--cov --cov-report=term --ignore tests/cost --ignore tests/attacks --ignore tests/benchmarks $(ARGS)

# Its last line says by how many megabytes the server grew a minute; it fails where that is not flat.
soak: $(TEST) ## clients of every kind come and go for MINUTES=10, and the server must not grow; faults of nodes, workers, Redis
	@$(BIN)/python -m tests.soak $(MINUTES)
	@$(BIN)/python -m tests.protocol --steps 20000
	@$(BIN)/python -m tests.protocol --steps 20000 --sockets
	@$(BIN)/python -m tests.soak.nodes
	@$(BIN)/python -m tests.sharded.simulation 10000
	@$(BIN)/python -m tests.presence.invariants
	@$(BIN)/python -m tests.soak.presence
	@$(BIN)/python -m tests.soak.people
	@$(BIN)/python -m tests.soak.workers
	@$(BIN)/python -m tests.soak.reloads
	@if command -v redis-server >/dev/null; then $(BIN)/python -m tests.soak.redis $(ROUNDS); else \
		echo "there is no redis-server: no rounds of its faults"; fi

test-beam: $(TEST) ## random programs, compared with real Elixir (options: SEED=1 COUNT=2000 NODES=40)
	@tests/setup/elixir.sh
	@$(BIN)/python -m tests.beam --seed $(SEED) --count $(COUNT)
	@$(BIN)/python -m tests.nodes.beam --seed $(SEED) --count $(NODES)

# Without a compiler; a Python that is not here is left out, and a line says so (one only: PYTHONS=3.13).
packages: $(TEST) $(PAGE) ## the wheel in clean environments, with each Python and the lowest and newest dependencies
	@$(BIN)/python -m tests.packages $(PYTHONS)

fuzz: $(FUZZ) ## bytes that nobody would send, found by what they cover, for FUZZ_SECONDS=60
	@$(BIN)/python -m tests.fuzz $(FUZZ_SECONDS)

bench: $(BENCH) $(BENCH_NODE) ## the benchmarks (options: ARGS="...")
	@export $(WITH_BIN) && $(BIN)/python -m benchmarks $(ARGS)

dist: $(TEST) $(PAGE) ## the wheel and the source distribution, in dist/
	@rm -rf dist && $(BIN)/python -m build --outdir dist . >/dev/null && ls dist

# A warning is an error: a link that leads nowhere, a page that no list has, a docstring that is not read as meant.
docs: $(DOCS) ## the documentation as a site, in docs/build (one page of it: docs/build/index.html)
	@rm -rf docs/build
	@$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --jobs auto --conf-dir docs/site . docs/build
	@echo "open docs/build/index.html"

clean: ## remove all that make has made
	rm -rf $(VENV) $(NPM_FOLDER)/node_modules $(PAGE_FOLDER)/node_modules $(BENCH_FOLDER)/node_modules phxactor/observer/static dist .hypothesis \
		.coverage* .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find phxactor tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

$(MADE):
	@tests/setup/venv.sh $(PYTHON) $(VENV)
	@touch $@

$(DEMO): $(MADE) pyproject.toml
	@echo "installing phxactor ..."
	@$(PIP) install --editable .
	@touch $@

$(TEST): $(MADE) pyproject.toml
	@echo "installing phxactor and the tools to test it ..."
	@$(PIP) install --editable '.[testing]' --group dev
	@touch $(DEMO) $(BENCH) $@

$(BENCH): $(MADE) pyproject.toml
	@echo "installing phxactor and the tools to measure it ..."
	@$(PIP) install --editable . --group bench
	@touch $(DEMO) $@

# atheris is not for every Python and machine; where it is not, `make fuzz` says so.
$(FUZZ): $(TEST)
	@$(PIP) install --group fuzz 2>/dev/null || true
	@touch $@

$(DOCS): $(MADE) pyproject.toml
	@echo "installing phxactor and what makes its documentation ..."
	@$(PIP) install --editable '.[testing,encryption,metrics,opentelemetry]' --group docs
	@touch $(DEMO) $@

# In an environment of their own: what they ask of the libraries that they share with the server may be out of date.
$(CLIENTS): $(MADE) pyproject.toml
	@echo "installing clients that others have made ..."
	@$(BIN)/python -m venv --clear --without-pip $(VENV)/clients
	@$(BIN)/python -m pip --python $(VENV)/clients/bin/python -qq --disable-pip-version-check --no-input \
		install --group clients
	@touch $@

# Without Node or npm's registry the servers on Node are left out, and `make bench` says so.
$(BENCH_NODE): $(MADE) $(BENCH_FOLDER)/package.json $(BENCH_FOLDER)/package-lock.json
	@echo "installing ws for Node ..."
	@tests/setup/node.sh $(BIN) && cd $(BENCH_FOLDER) && $(WITH_BIN) $(NPM) && touch $(CURDIR)/$@ || true

$(JAVASCRIPT): $(MADE) $(NPM_FOLDER)/package.json $(NPM_FOLDER)/package-lock.json
	@tests/setup/node.sh $(BIN)
	@echo "installing phoenix.js ..."
	@cd $(NPM_FOLDER) && $(WITH_BIN) $(NPM)
	@touch $@

# esbuild comes as a program of npm's registry; nothing else is fetched.
$(PAGE): $(MADE) $(PAGE_FOLDER)/package.json $(PAGE_FOLDER)/package-lock.json $(wildcard $(PAGE_FOLDER)/*.* $(PAGE_FOLDER)/style/*)
	@tests/setup/node.sh $(BIN)
	@echo "bundling the observer's page ..."
	@cd $(PAGE_FOLDER) && export $(WITH_BIN) && { [ node_modules/.package-lock.json -nt package-lock.json ] || $(NPM); } && node build.mjs
	@touch $@

chromium: $(MADE)
	@tests/setup/chromium.sh

proxies: $(MADE)
	@tests/setup/proxies.sh

wstest: $(MADE)
	@tests/setup/autobahn.sh $(BIN)

servers: $(MADE)
	@tests/setup/servers.sh
	@tests/setup/prometheus.sh $(BIN)
