# Every verb of the project. `make help` lists them.

PYTHON ?= python3
VENV   ?= .venv
STATE  ?=
ARGS   ?=
BIN     = $(VENV)/bin
STAMP   = $(VENV)/.installed
KERBEROS = $(VENV)/.kerberos
OPTIONS = $(if $(STATE),--state $(STATE))

.DEFAULT_GOAL = help
.PHONY: help setup demo up down test test-fast test-live lint format types check coverage-page bench lock migration clean distclean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

setup: packages-build $(STAMP)  ## install what is missing: host packages (as root), Python packages into .venv

demo: setup  ## start a cloud, boot a first server in it and log in (STATE=folder, ARGS="--port 5100")
	@$(BIN)/pileus up --brief $(OPTIONS) $(ARGS)
	@$(BIN)/pileus demo $(OPTIONS)

up: setup  ## start a cloud (STATE=folder, ARGS="--nodes 2 --port 5000")
	$(BIN)/pileus up $(OPTIONS) $(ARGS)

down:  ## stop it
	$(BIN)/pileus down $(OPTIONS) $(ARGS)

test: packages-tests $(STAMP) $(KERBEROS)  ## all tests (ARGS=what pytest shall know)
	@sh tests/run.sh all $(BIN)/python $(ARGS)

test-fast: $(STAMP)  ## those that take seconds: no engines, no root
	@sh tests/run.sh fast $(BIN)/python $(ARGS)

test-live: packages-tests $(STAMP) $(KERBEROS)  ## those on real QEMU, OVN and PostgreSQL
	$(BIN)/python -m pytest -m live $(ARGS)

lint: $(STAMP)  ## style and common mistakes
	$(BIN)/ruff check .

format: $(STAMP)  ## lay out the code
	$(BIN)/ruff format .

types: $(STAMP)  ## type hints, strictly
	$(BIN)/mypy

check: lint types test-fast  ## what to run before a commit

coverage-page: $(STAMP)  ## docs/api-coverage.md, from the routes
	$(BIN)/python -m pileus.coverage > docs/api-coverage.md.new
	mv docs/api-coverage.md.new docs/api-coverage.md

bench: setup  ## measure, and write bench/RESULTS.md
	$(BIN)/python -m bench $(ARGS)

lock: $(STAMP)  ## requirements.lock from pyproject.toml: newest versions, with hashes, without addresses
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate --extra node --extra ldap --extra s3 --extra swift --group dev pyproject.toml --output-file requirements.lock
	@# apart, since it takes minutes to compile: only the tests want it, and clouds with Kerberos
	echo "gssapi>=1.8" | $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate --output-file requirements-kerberos.lock -

migration: $(STAMP)  ## the next migration, from what the tables now are (ARGS="what it does")
	$(BIN)/python -m pileus.migrations.write $(ARGS)

clean:  ## remove what tools leave behind
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean  ## the virtual environment too
	rm -rf $(VENV)

# Quick when nothing is missing, so they need no stamp.
.PHONY: packages-build packages-tests
packages-build:
	@sh pileus/deploy/host-packages.sh build
packages-tests:
	@sh pileus/deploy/host-packages.sh build tests

# uv is only the installer: what it installs is pinned by hash.
$(STAMP): requirements.lock pyproject.toml | packages-build
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

$(KERBEROS): requirements-kerberos.lock | $(STAMP) packages-tests
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-kerberos.lock
	@touch $@
