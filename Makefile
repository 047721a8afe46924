# `make matrix` and `make test` need Python 3.11 or newer and nothing else; uv is used where it is installed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)

.PHONY: matrix test check compiled coverage bench schemas clean help

help:  ## say what there is to make
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

matrix: $(VENV)/.run  ## set up, then build the default matrix into data/
	$(BIN)/personas build

test: $(VENV)/.dev  ## set up with test tools, then run all tests and checks
	$(MAKE) -j2 check compiled
	$(BIN)/python -m pytest -n auto --dist loadfile

coverage: $(VENV)/.dev  ## the tests again with their coverage, which makes them half as slow again
	$(BIN)/python -m pytest -n auto --dist loadfile --cov --cov-report=term --cov-fail-under=93

check: $(VENV)/.dev  ## style, types, one-way imports, schemas
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/personas schemas --check
	$(BIN)/personas validate seeds data/conversations

compiled: $(VENV)/.dev  ## the kernel's machine code, before the tests' two processes would each make it
	$(BIN)/python -m pipeline.compiled

bench: $(VENV)/.dev  ## ratios of time and memory, measured in one run
	$(BIN)/python -m tests.benches.table

schemas: $(VENV)/.dev  ## write schemas/ anew from the models
	$(BIN)/personas schemas

clean:  ## remove the environment and built data
	rm -rf $(VENV) data/matrix data/plans data/inputs

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; set PYTHON=python3.12, say" >&2; exit 1; }
ifdef UV
	uv venv --quiet --python $(PYTHON) $(VENV)
else
	$(PYTHON) -m venv $(VENV)
endif

$(VENV)/.run: pyproject.toml | $(VENV)/bin/python
ifdef UV
	uv pip install --quiet --python $(BIN)/python -e '.[check]'
else
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[check]'
endif
	touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
ifdef UV
	uv pip install --quiet --python $(BIN)/python -e '.[check,dev]'
else
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[check,dev]'
endif
	touch $@ $(VENV)/.run
