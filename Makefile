# Two commands for newcomers: `make demo` and `make test`. Each sets up .venv from the lock where that is missing.
PYTHON ?= python3.11
VENV := .venv
READY := $(VENV)/.ready

.PHONY: demo test lint bench docs

demo: $(READY)
	@$(VENV)/bin/ictal demo

test: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/typos
	$(VENV)/bin/mypy & types=$$!; $(VENV)/bin/pytest -n 3 --dist loadgroup; tests=$$?; wait $$types && exit $$tests

bench: $(READY)
	$(VENV)/bin/python -m tests.benchmarks --demo; benchmarks=$$?; $(VENV)/bin/python -m tests.benchmarks.soak && exit $$benchmarks

docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict --quiet
	@echo "Open site/index.html"

lint: $(READY)
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .
	$(VENV)/bin/typos
	$(VENV)/bin/mypy

# The lock is whole (tests/test_dependencies.py), so nothing has to be resolved.
$(READY): pyproject.toml constraints.txt
	@echo "Setting up $(VENV) from constraints.txt: about 2 minutes and 3.6 GB, once"
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/pip install -qq --disable-pip-version-check --no-deps -r constraints.txt
	@$(VENV)/bin/pip install -qq --disable-pip-version-check --no-deps -e .
	@$(VENV)/bin/python -m flows.blank_database
	@touch $(READY)
