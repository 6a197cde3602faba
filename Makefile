# make lab | demo | test | check | docs | images | bench | clean
#
# Every target makes what it needs in .venv: with uv when there is one, else with venv and pip.
#   make PYTHON=/path/to/python3.12 lab      use this interpreter
#   make UV= test                            do without uv

VENV ?= .venv
PYTHON ?=
UV ?= $(shell uv --version >/dev/null 2>&1 && command -v uv)

BIN := $(VENV)/bin
STAMP := $(VENV)/.made
LAYER := $(BIN)/python .ci/layer.py

# The accessibility tests evaluate axe-core in the page: IOTNB_AXE names it, else npm brings it.
AXE := $(VENV)/axe/node_modules/axe-core/axe.min.js
IOTNB_AXE ?= $(abspath $(AXE))
export IOTNB_AXE

# Some browser tests also run on an older ipykernel: IOTNB_KERNELS names its Python (or several, as in PATH).
KERNEL := $(VENV)/ipykernel6
IOTNB_KERNELS ?= $(abspath $(KERNEL))/bin/python
export IOTNB_KERNELS

# An activated environment or a user's site-packages must not leak into ours.
unexport VIRTUAL_ENV CONDA_PREFIX PYTHONHOME PYTHONPATH
export PYTHONNOUSERSITE := 1

.DEFAULT_GOAL := help
.PHONY: FORCE help env lab demo check test test-unit test-sandbox test-notebooks test-browser test-packaging docs images bench clean

help:
	@echo "make lab      JupyterLab on the tutorials, with a running sandbox"
	@echo "make demo     the main job in the terminal, against the sandbox"
	@echo "make test     every check and every test layer"
	@echo "make check    ruff, mypy and the import contracts"
	@echo "make docs     the tables of README.md and docs/ that follow from the code"
	@echo "make images   the pictures of docs/images, light and dark, from the sandbox"
	@echo "make bench    the figures that the README quotes"
	@echo "make clean    remove the environment and everything built"

env: $(STAMP)

# A named interpreter is always looked at: the environment may have been made with another one.
$(STAMP): pyproject.toml .ci/venv $(if $(PYTHON),FORCE)
	@VENV='$(VENV)' PYTHON='$(PYTHON)' UV='$(UV)' sh .ci/venv
	@touch $@

lab: $(STAMP)
	$(BIN)/iotnb lab $(ARGS)

demo: $(STAMP)
	$(BIN)/iotnb demo $(ARGS)

check: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --strict iotnb
	PYTHONPATH= $(BIN)/lint-imports

# One recipe, one order, under any -j: the layers share two cores and some ports.
test: check
	$(MAKE) --no-print-directory test-unit
	$(MAKE) --no-print-directory test-sandbox
	$(MAKE) --no-print-directory test-notebooks
	$(MAKE) --no-print-directory test-browser
	$(MAKE) --no-print-directory test-packaging

test-unit: $(STAMP)
	$(LAYER) unit $(ARGS)

test-sandbox: $(STAMP)
	$(LAYER) sandbox $(ARGS)

test-notebooks: $(STAMP)
	$(LAYER) notebooks $(ARGS)

test-browser: $(STAMP) $(IOTNB_AXE) $(KERNEL)/.made
	$(LAYER) browser $(ARGS)

$(KERNEL)/.made: .ci/kernel | $(STAMP)
	@VENV='$(VENV)' UV='$(UV)' sh .ci/kernel '$(KERNEL)'
	@touch $@

$(abspath $(AXE)): | $(STAMP)
	@npm --version >/dev/null 2>&1 || { echo "layer browser: axe-core is missing; install npm, or name its axe.min.js in IOTNB_AXE" >&2; exit 1; }
	npm install --prefix $(VENV)/axe --no-save --no-audit --no-fund --loglevel=error axe-core@4

test-packaging: $(STAMP)
	$(LAYER) packaging $(ARGS)

docs: $(STAMP)
	$(BIN)/python .ci/docs.py

images: $(STAMP)
	$(BIN)/python .ci/images.py $(ARGS)

bench: $(STAMP)
	$(BIN)/python benchmarks/run.py $(ARGS)

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	find . -name '*.egg-info' -type d -prune -exec rm -rf {} +
