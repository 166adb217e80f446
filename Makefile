# Botswain. `make` alone lists what can be made.

SHELL := /bin/sh
.DEFAULT_GOAL := help

# A Python ≥ 3.11 found by itself; `make install PYTHON=/path/to/python` names one.
PYTHON ?=
BIN := .venv/bin
# UP_ARGS: what `botswain up` is told, for example UP_ARGS="--port 9000". BOTSWAIN_* variables work as well.
UP_ARGS ?=
# TESTS: what `make test` runs, for example TESTS="tests/bus -k order"
TESTS ?=
# BENCH: what `make bench` is told, for example BENCH="--quick turn"
BENCH ?=

.PHONY: help install install-dev up test check format events bench lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: .venv/installed-run  ## make .venv with what botswain needs to run (Python ≥ 3.11)

install-dev: .venv/installed-dev  ## the same, and what tests and checks need

up: .venv/installed-run  ## start everything in one process and print the address
	@exec $(BIN)/botswain up $(UP_ARGS)

test: .venv/installed-dev  ## run all tests
	$(BIN)/pytest $(TESTS)

check: .venv/installed-dev  ## lint, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/botswain check bots

format: .venv/installed-dev  ## format the code
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

events: .venv/installed-dev  ## describe the events anew, in docs/events
	$(BIN)/python -m schemas.document

bench: .venv/installed-dev  ## measure, and write docs/performance.md
	$(BIN)/python -m tests.bench $(BENCH)

lock: .venv/installed-dev  ## choose the versions of all dependencies anew
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/python requirements/lock.py

clean:  ## delete .venv and caches; the data in .botswain stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@sh requirements/make-venv "$(PYTHON)"

.venv/installed-run: requirements/run.txt pyproject.toml | .venv/bin/python
	@sh requirements/install-locked requirements/run.txt
	@touch $@

.venv/installed-dev: requirements/dev.txt requirements/run.txt pyproject.toml | .venv/bin/python
	@sh requirements/install-locked requirements/dev.txt
	@touch $@ .venv/installed-run
