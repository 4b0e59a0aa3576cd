# Two commands do everything on a fresh machine with Python 3.11+, pip and make:
#   make demo   sets up and compares the three variants on real data; leaves demo/report.html
#   make test   sets up and runs every check: lint, types, import contracts, tests
# make bench measures everything into docs/benchmarks.md; make bench PARTS="grid memory" two of its parts.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check bench docs clean

demo: .venv/core
	$(BIN)/fallline compare diabetes -o demo --overwrite
	@echo "Open demo/report.html in a browser."

test: check
	$(BIN)/pytest -n 2

check: .venv/dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check

bench: .venv/bench
	$(BIN)/python benchmarks/run.py $(PARTS)

docs: .venv/core
	$(BIN)/python docs/generate.py

.venv/pip:
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	touch $@

.venv/core: .venv/pip pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	touch $@

.venv/dev: .venv/core
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	touch $@

.venv/bench: .venv/dev
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[bench]" \
		|| echo "Some peers could not be installed; the tables will say so."
	touch $@

clean:
	rm -rf .venv demo build dist
