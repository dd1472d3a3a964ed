# Two commands for a fresh machine with Python 3.11+, git and make:
#   make demo   set up .venv, run the main job, print where the report lies
#   make test   set up .venv, lint, types, import contract, tests
PYTHON ?= $(shell command -v python3.13 || command -v python3.12 || command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
JOBS   ?= 2

.PHONY: demo test lint check-types contract tests bench setup clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "painkit needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(STAMP)
	$(BIN)/painkit run 01_deepfacelift --profile demo

test: lint check-types contract tests

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

check-types: $(STAMP)
	$(BIN)/mypy

contract: $(STAMP)
	$(BIN)/lint-imports

tests: $(STAMP)
	$(BIN)/python -m pytest -p no:benchmark -n $(JOBS) --dist worksteal

bench: $(STAMP)
	$(BIN)/python -m pytest benchmarks -s

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
