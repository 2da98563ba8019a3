# Everything here works on a machine with Python 3.11 or later, pip and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check
CODE := src tests benchmarks examples .ci/constraints.py
WORKERS ?= 2
# Neighbouring tests go to one worker, so that it makes and imports what they share only once.
PYTEST = $(BIN)/pytest -q -n $(WORKERS) --dist worksteal
DEMO := demo-output
FINDSPOT := FINDSPOT_WORKSPACE=$(DEMO)/.findspot MPLBACKEND=Agg $(BIN)/findspot

# Bytecode is kept: without it each of pytest's workers rewrites all assertions anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test test-torch check lint docs bench constraints clean

help:
	@echo "make demo    run the tutorial in $(DEMO)/ and show the lineage of its figure"
	@echo "make test    all checks and all tests (CI runs this and test-torch)"
	@echo "make test-torch  the tests of PyTorch's handlers, in an environment of their own"
	@echo "make check   the quick ones, in about a minute"
	@echo "make lint    style, types and layers only"
	@echo "make docs    build the documentation into site/"
	@echo "make bench   measure Findspot beside its peers (BENCH='--quick' for a short run)"
	@echo "make clean   remove what was built, and the virtual environment"

# The stamp is renewed when the dependencies change, so that a pull never leaves a stale environment.
$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Findspot needs Python 3.11 or later: make PYTHON=python3.12 ..."; rm -rf $(VENV); exit 1; }
	$(PIP) install --quiet -c constraints.txt -e '.[all,dev]'
	@touch $@

demo: $(STAMP)
	@rm -rf $(DEMO)
	@mkdir -p $(DEMO)
	@$(FINDSPOT) init $(DEMO)
	$(FINDSPOT) run examples/tutorial/entrypoint_4.yaml --experiment experiment_2
	$(FINDSPOT) run examples/tutorial/entrypoint_5.yaml --experiment experiment_3 \
		-a artifact_input_array=samples:latest -p figure_title="Three ways to rescale"
	$(FINDSPOT) lineage rescaled_figure
	$(FINDSPOT) artifact download rescaled_figure --to $(DEMO)/figure
	@echo
	@echo "The figure:      $$(find $(DEMO)/figure -type f | head -n 1)"
	@echo "The workspace:   $(DEMO)/.findspot; try, for example:"
	@echo "  export FINDSPOT_WORKSPACE=$(DEMO)/.findspot"
	@echo "  $(BIN)/findspot jobs"
	@echo "  $(BIN)/findspot artifacts"
	@echo "  $(BIN)/findspot artifact show samples"
	@echo "  $(BIN)/findspot lineage samples --direction downstream"

lint: $(STAMP)
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(PYTEST)

check: $(STAMP)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy
	$(PYTEST) -m "not slow"

# PyTorch's handlers are tested in an environment of their own: its wheel is larger than all else.
# This very version, so that a machine without it fails rather than tests another one.
TORCH := .venv-torch
$(TORCH)/.installed: pyproject.toml constraints.txt
	@test -x $(TORCH)/bin/python || $(PYTHON) -m venv $(TORCH)
	$(TORCH)/bin/python -m pip --disable-pip-version-check install --quiet torch==2.13.0
	$(TORCH)/bin/python -m pip --disable-pip-version-check install --quiet -c constraints.txt \
		-e '.[numpy]' pytest pytest-timeout safetensors keras transformers
	@touch $@

test-torch: $(TORCH)/.installed
	$(TORCH)/bin/python -m pytest -q tests/with_torch -o cache_dir=.pytest_cache_torch

docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# Peers whose dependencies would clash with ours; one that cannot be installed is left out.
PEERS := .venv-peers
$(PEERS)/.installed: benchmarks/peers.txt
	@test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip --disable-pip-version-check install --quiet -r benchmarks/peers.txt \
		&& touch $@ || echo "Not installed, and left out: the peers in benchmarks/peers.txt"

bench: $(STAMP) $(PEERS)/.installed
	$(BIN)/python -m benchmarks $(BENCH)

constraints: $(STAMP)
	$(BIN)/python .ci/constraints.py

clean:
	rm -rf $(VENV) $(TORCH) $(PEERS) $(DEMO) site build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
