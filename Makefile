# GouTong. `make` alone lists the targets. Everything is installed into .venv from constraints.txt;
# the stamps in it say for which pyproject.toml and constraints.txt, so a second run needs no network.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt
WANTED := pyproject.toml constraints.txt
# What `make test` and `make bench` use from Debian: Kannel and Alertmanager as peers, strace to see
# fsync, Java and Maven to fetch and run Cassandra.
DEBIAN_PACKAGES := kannel prometheus-alertmanager strace openjdk-17-jre-headless maven

.PHONY: help run demo test test-fast lint types bench sim sim-coverage mutations chaos clean system-deps
.DELETE_ON_ERROR:

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.installed ## start a region, send a first e-mail and text message, stay until Ctrl-C
	@$(BIN)/goutong up --demo $(ARGS)

demo: $(VENV)/.installed ## the same once, on a temporary folder; fails unless both arrived
	@$(BIN)/goutong demo $(ARGS)

test: $(VENV)/.installed-dev ## all tests; as root it installs the Debian packages that some need
	@if [ "$$(id -u)" = 0 ]; then $(MAKE) --no-print-directory system-deps || \
	  echo "Not installed: $(DEBIAN_PACKAGES). The tests that need them are skipped." >&2; fi
	$(BIN)/pytest $(ARGS)

test-fast: $(VENV)/.installed-dev ## the tests that take less than a few seconds each, without Cassandra
	$(BIN)/pytest -m "not slow and not cassandra" $(ARGS)

lint: $(VENV)/.installed-dev ## style, form, the walls between the packages, the house's own rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pytest tests/unit/test_tidy.py

types: $(VENV)/.installed-dev ## strict type checking
	$(BIN)/mypy

bench: $(VENV)/.installed-dev ## all benches beside their peers, minutes each
	@for bench in cycle accept email webhook; do $(BIN)/goutong bench $$bench $(ARGS); done

sim: $(VENV)/.installed ## 10,000 seeds of the simulator, in one process for each CPU
	@$(BIN)/goutong sim --seeds 1-10000 $(ARGS)

sim-coverage: $(VENV)/.installed-dev ## the branches of sync/ that the simulator alone gets to
	@$(BIN)/python -m tests.support.sim_coverage $(ARGS)

mutations: $(VENV)/.installed-dev ## take each rule of the protocol away: the simulator must notice
	@$(BIN)/python -m tests.support.mutations_run $(ARGS)

chaos: $(VENV)/.installed-dev ## real regions: kill, freeze or rob one under load, again and again
	@$(BIN)/python -m tests.chaos.run $(ARGS)

clean: ## remove what make made, but not goutong-data
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

system-deps: ## install Debian packages (as root; nothing else here does)
	@missing=""; for name in $(DEBIAN_PACKAGES); do \
	  dpkg-query -W -f='$${Status}' $$name 2>/dev/null | grep -q "ok installed" || \
	    missing="$$missing $$name"; \
	done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ]; then \
	  echo "As root: apt-get install$$missing" >&2; exit 1; \
	fi; \
	export DEBIAN_FRONTEND=noninteractive; \
	apt-get update -qq >/dev/null; \
	apt-get install -y -qq --no-install-recommends $$missing >/dev/null

# The build tools come first and from the constraints too: with them there, installing the project
# itself (--no-build-isolation) asks no network for anything once its packages are installed.
$(VENV)/.tools: constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "GouTong needs Python 3.11 or newer: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "Python's venv module is missing. On Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(PIP) setuptools wheel
	@touch $@

$(VENV)/.installed: $(WANTED) $(VENV)/.tools
	@echo "Installing GouTong into $(VENV) ..." >&2
	@$(PIP) --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: $(WANTED) $(VENV)/.tools
	@echo "Installing GouTong and what its tests need into $(VENV) ..." >&2
	@$(PIP) --no-build-isolation -e '.[dev]'
	@touch $@ $(VENV)/.installed
