# Two commands do all the set-up: `make demo` and `make test`.
# Needs Python 3.11 or newer and git; `make check` also needs Node.js with npm.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo $$p; break; }; done)
SOURCES := sip gateway tests bench

.PHONY: demo test check format bench protocol screenshots lock clean

demo: $(VENV)/.runtime
	@$(BIN)/ringbridge demo $(DEMO_OPTIONS)

test: $(VENV)/.development
	@bash tests/system/parts.sh
	@if command -v npm >/dev/null 2>&1; then $(MAKE) --no-print-directory node_modules/.ready; fi
	$(BIN)/pytest -n 2 --dist worksteal -m "not system and not realtime" $(PYTEST_OPTIONS)
	$(BIN)/pytest -n 2 --dist loadfile -m system $(PYTEST_OPTIONS)
	$(BIN)/pytest -m "realtime and not system" $(PYTEST_OPTIONS)

check: $(VENV)/.development node_modules/.ready
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m gateway.sessions.document --check
	npx --no-install tsc --noEmit -p jsconfig.json

format: $(VENV)/.development
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

protocol: $(VENV)/.development
	$(BIN)/python -m gateway.sessions.document

bench: $(VENV)/.development
	@bash tests/system/parts.sh bench
	$(BIN)/python -m bench $(BENCH_OPTIONS)

screenshots: $(VENV)/.development
	@bash tests/system/parts.sh
	$(BIN)/python -m tests.widget.screenshots var/screenshots
	$(BIN)/python -m tests.guest.screenshots var/screenshots/guest

lock:
	$(PYTHON) -m venv var/lock && var/lock/bin/pip install --quiet uv
	var/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-annotate --no-header --extra dev pyproject.toml -o requirements-dev.lock
	var/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-annotate --no-header -c requirements-dev.lock pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) node_modules var build *.egg-info

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo 'ringbridge needs Python 3.11 or newer on the PATH.' >&2; exit 1; }
	@echo 'Making a virtual environment in $(VENV) ...'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.lock pyproject.toml | $(BIN)/python
	@echo 'Installing what ringbridge needs (about a minute) ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/.development: requirements-dev.lock pyproject.toml | $(BIN)/python
	@echo 'Installing what ringbridge and its tests need (about two minutes) ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@ $(VENV)/.runtime

node_modules/.ready: package.json package-lock.json
	npm ci --silent
	@touch $@
