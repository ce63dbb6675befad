# `make` alone lists the targets. Each does its own set-up: it asks for Python 3.11 or newer and make, nothing else.
# The environments are made by scripts/environment.sh (uv where it is installed, else venv and pip) and made again
# when pyproject.toml or the constraints change.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

VENV ?= .venv
PY := $(VENV)/bin/python
ARGS ?=
PYTHON ?=
export PYTHON

CONSTRAINTS := constraints/py3.txt
OLDEST := constraints/oldest.txt
COMPARED := constraints/compare.txt
FOREIGN := constraints/peers.txt
INSTALL := sh scripts/environment.sh
# A worker a core, but no more than four: each imports both frameworks for itself, in time and in memory.
PYTEST := -m pytest --numprocesses auto --maxprocesses 4

.PHONY: help
help: ## this list
	@echo 'make TARGET [ARGS="..."] [PYTHON=/path/to/python3]'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: $(VENV)/.all ## both frameworks answer questions and run agents: on the emulator, or on Cloudflare if set
	$(VENV)/bin/workers-ai demo $(ARGS)
	$(if $(ARGS),,$(VENV)/bin/workers-ai demo --agent)

.PHONY: examples
examples: $(VENV)/.test ## retrieval in each framework: an embedded vector store, rerank, answers that cite; as demo
	$(PY) examples/retrieval_langchain.py $(ARGS)
	$(PY) examples/retrieval_llama_index.py $(ARGS)

.PHONY: test
test: $(VENV)/.test ## all tests but the slow ones; ARGS go to pytest, e.g. ARGS="-k gateway -x"
	$(PY) $(PYTEST) -m "not slow" $(ARGS)

.PHONY: fuzz
fuzz: $(VENV)/.test ## replies that no service sends, ten minutes of them; ARGS: seconds
	$(PY) scripts/fuzz.py $(ARGS)

.PHONY: soak
soak: $(VENV)/.test ## 20,000 calls in one process, one in twenty failing: nothing is left behind; ARGS: calls
	$(PY) scripts/soak.py $(ARGS)

.PHONY: test-wheel
test-wheel: $(VENV)/.test ## the slow tests: the built wheel in an empty environment outside the repository
	$(PY) -m pytest -m slow $(ARGS)

.PHONY: check
check: lint types test ## lint, types and test

.PHONY: lint
lint: $(VENV)/.lint ## ruff: rules and format
	$(PY) -m ruff check $(ARGS)
	$(PY) -m ruff format --check

.PHONY: fix
fix: $(VENV)/.lint ## what ruff can mend and format by itself
	$(PY) -m ruff check --fix $(ARGS)
	$(PY) -m ruff format

.PHONY: types
types: $(VENV)/.types ## mypy, strict, on all three packages
	$(PY) -m mypy $(ARGS)

.PHONY: bench
bench: $(VENV)/.all ## speed as ratios to raw httpx
	$(PY) benchmarks/run.py $(ARGS)

.PHONY: bench-embed
bench-embed: $(VENV)/.test ## 100,000 rows embedded on the emulator, killed three times: equal output, peak memory
	$(PY) benchmarks/embed_kill.py $(ARGS)

.PHONY: compare
compare: .venv-compare/.peers ## langchain-tests for us, langchain-cloudflare and ChatOpenAI, on the emulator: a table
	.venv-compare/bin/python compare/run.py $(ARGS)

.PHONY: faults
faults: $(VENV)/.test ## every fault of the emulator on every call of both adapters: a table; ARGS="--write" for docs/
	$(PY) scripts/fault_matrix.py $(ARGS)

.PHONY: peers
peers: .venv-peers/.foreign ## clients of others (SDKs, langchain-cloudflare, workers-ai-provider) on the emulator: a table
	.venv-peers/bin/python peers/run.py $(ARGS)

.PHONY: record
record: $(VENV)/.test ## make the cassettes anew
	$(PY) scripts/record.py $(ARGS)

.PHONY: test-all
test-all: ## the tests on every Python from 3.11 up that this machine has
	@MAKE='$(MAKE)' sh scripts/test_all.sh

.PHONY: test-oldest
test-oldest: .venv-oldest/.test ## the tests with the lowest versions of the declared ranges, on the oldest Python
	.venv-oldest/bin/python $(PYTEST) -m "not slow" $(ARGS)

.PHONY: test-newest
test-newest: ## the tests with the newest versions there are, installed afresh
	rm -rf .venv-newest
	$(INSTALL) .venv-newest --upgrade pip
	$(INSTALL) .venv-newest --editable '.[all]' --group test --group agents --group examples --group otel --group ray
	.venv-newest/bin/python $(PYTEST) -m "not slow" $(ARGS)

.PHONY: lock
lock: $(VENV)/.base ## resolve the constraints files anew, on every Python that this machine has
	$(PY) scripts/lock.py $(ARGS)

.PHONY: build
build: $(VENV)/.base ## wheel and sdist into dist/
	$(PY) -m hatchling build $(ARGS)

.PHONY: clean
clean: ## remove environments, caches and what was built
	rm -rf .venv .venv-* dist build .coverage .coverage.* htmlcov .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Set-up. An environment whose Python has gone from the machine is made again from the first step on.
$(shell test -x $(PY) || rm -f $(VENV)/.base)

# hatchling is installed first and used from here, so that it is pinned as everything else is.
$(VENV)/.base: pyproject.toml $(CONSTRAINTS) scripts/environment.sh
	@$(INSTALL) $(VENV) --constraint $(CONSTRAINTS) --upgrade pip
	@$(INSTALL) $(VENV) --constraint $(CONSTRAINTS) hatchling editables
	@touch $@

$(VENV)/.all: $(VENV)/.base
	@$(INSTALL) $(VENV) --constraint $(CONSTRAINTS) --no-build-isolation --editable '.[all]'
	@touch $@

$(VENV)/.test: $(VENV)/.all
	@$(INSTALL) $(VENV) --constraint $(CONSTRAINTS) --group test --group agents --group examples --group otel --group ray
	@touch $@

$(VENV)/.lint: $(VENV)/.base
	@$(INSTALL) $(VENV) --constraint $(CONSTRAINTS) --group lint
	@touch $@

$(VENV)/.types: $(VENV)/.all
	@$(INSTALL) $(VENV) --constraint $(CONSTRAINTS) --group types
	@touch $@

# No resolver here: langchain-tests asks for a newer httpx than we do, and constraints/oldest.txt goes below it.
.venv-oldest/.test: pyproject.toml $(OLDEST) scripts/environment.sh
	@PYTHON="$${PYTHON:-$$(sh scripts/pythons.sh | sort -t . -k 2n | head -n 1 | cut -d ' ' -f 2-)}"; \
		export PYTHON; $(INSTALL) .venv-oldest --constraint $(OLDEST) --upgrade pip
	@$(INSTALL) .venv-oldest --no-deps --requirement $(OLDEST)
	@$(INSTALL) .venv-oldest --no-deps --no-build-isolation --editable .
	@touch $@

# The others that `make compare` measures stand in no other environment.
.venv-compare/.peers: pyproject.toml $(CONSTRAINTS) $(COMPARED) scripts/environment.sh
	@$(INSTALL) .venv-compare --constraint $(CONSTRAINTS) --upgrade pip
	@$(INSTALL) .venv-compare --constraint $(CONSTRAINTS) hatchling editables
	@$(INSTALL) .venv-compare --constraint $(CONSTRAINTS) --no-build-isolation --editable '.[langchain,local]' --group test
	@$(INSTALL) .venv-compare --constraint $(CONSTRAINTS) --requirement $(COMPARED)
	@touch $@

# The clients that `make peers` lets talk to the emulator, without our adapters and their frameworks.
.venv-peers/.foreign: pyproject.toml $(CONSTRAINTS) $(FOREIGN) scripts/environment.sh
	@$(INSTALL) .venv-peers --constraint $(CONSTRAINTS) --upgrade pip
	@$(INSTALL) .venv-peers --constraint $(CONSTRAINTS) hatchling editables
	@$(INSTALL) .venv-peers --constraint $(CONSTRAINTS) --no-build-isolation --editable '.[local]'
	@$(INSTALL) .venv-peers --constraint $(CONSTRAINTS) --requirement $(FOREIGN)
	@touch $@
