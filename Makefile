# `make demo` and `make test` install what they need first; see `make help`.
PYTHON ?= python3
BIN := .venv/bin
# The environment knows its PETSc; another one in the variables would only be refused.
RUN := env -u PETSC_DIR -u PETSC_ARCH OMP_NUM_THREADS=1 $(BIN)/python
export PYTHONUNBUFFERED = 1
# Tests run on several processes; each starts on one stretch of the list and, when it is done,
# takes tests from the end of another's, so that a file's tests mostly stay together.
SPREAD := -n auto --maxprocesses 4 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help install demo test test-slow bench bench-data bench-peers lint docs clean

help:  ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install:  ## Install system packages (as root), PETSc, Firedrake, torch and pdesolve into .venv
	@command -v $(PYTHON) >/dev/null || { echo "No $(PYTHON) here; install Python 3.11 or newer, or name one: make install PYTHON=python3.12"; exit 1; }
	@$(PYTHON) tools/install

demo: install  ## Run the whole path on Darcy flow: solve, generate, train, evaluate, accelerate
	@$(RUN) examples/darcy_demo.py

test: install  ## Run the tests (under 20 minutes on 2 cores)
	@OMP_NUM_THREADS=1 $(RUN) -m pytest $(SPREAD)

test-slow: install  ## Run the tests marked slow too
	@OMP_NUM_THREADS=1 $(RUN) -m pytest $(SPREAD) -m "slow or not slow"

bench: .venv/peers  ## Measure speed, each figure as a ratio within one run
	@PYTHONPATH=.venv/peers $(RUN) -m benchmarks

bench-data: install  ## Measure strategies of data generation, with the published tables of recycling
	@$(RUN) -m benchmarks.data

bench-peers: install  ## Fetch public code into .benchmark-peers and measure training steps beside it
	@$(RUN) -m benchmarks.operators.peers --install
	@$(RUN) -m benchmarks.operators.peers

.venv/peers: benchmarks/peers.txt | install
	@$(BIN)/python -m pip install -q --no-deps --upgrade --target $@ -r $< && touch $@

lint: install  ## Format check, linter and type checker
	@status=0; for check in "ruff format --check ." "ruff check ." mypy; do $(BIN)/$$check || status=1; done; exit $$status

docs: install  ## Build the documentation into build/docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:  ## Remove the environment and what was built in the checkout (the cache folder stays)
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache demo-output
