# Two commands for a fresh machine with Python 3.11+, git and make:
#   make demo   set up .venv, run the main job, print where the report lies
#   make test   set up .venv, lint, types, import contract, tests
# and to explore:
#   make lab    set up .venv, open the notebooks in JupyterLab
# The first Python of a supported version that runs (a name on the path may be a shim of one not installed).
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3; do \
  $$name -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
  && { echo $$name; break; }; done)
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
JOBS   ?= 2

.PHONY: demo lab test lint check-types contract tests bench setup clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "painkit needs Python 3.11 to 3.13 (with venv); none was found. Try: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(STAMP)
	$(BIN)/painkit run 01_deepfacelift --profile demo

lab: $(STAMP)
	$(BIN)/jupyter lab notebooks

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
