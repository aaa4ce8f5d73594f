# Two commands do everything: `make play` and `make test`. `make help` lists the rest.
PYTHON ?= python3
PROMPT ?=
SECONDS ?=
MINUTES ?=
TORCH_INDEX ?=
ARGS ?=
COMMAND ?= make test
export PROMPT

ifeq ($(OS),Windows_NT)
VENV := .venv/Scripts
ifeq ($(origin PYTHON),file)
PYTHON := python
endif
else
VENV := .venv/bin
endif
SETUP = $(PYTHON) .ci/setup.py $(if $(TORCH_INDEX),--torch-index $(TORCH_INDEX))

.PHONY: help play test test-all fresh wheel check docs bench train train-gpu clean
.DEFAULT_GOAL := help

help:  ## list these targets
	@$(PYTHON) -c "import re; [print(f'  make {n:9} {d}') for n, d in re.findall(r'(?m)^([\w-]+):.*?## (.*)', open('Makefile').read())]"
	@echo "  variables: PROMPT=\"warm lo-fi piano\" SECONDS=20 ARGS=\"--device 3\" PYTHON=python3.12 TORCH_INDEX=<address of an index of CPU-only torch>"

play:  ## set up, then play nano: PROMPT="..." SECONDS=20; without SECONDS until Ctrl-C
	@$(SETUP) play
	@$(VENV)/streamer play $(if $(PROMPT),--prompt "$$PROMPT") $(if $(SECONDS),--seconds $(SECONDS)) $(ARGS)

test:  ## set up, then check and run all tests but the heavy ones
	@$(SETUP) test
	@$(VENV)/python .ci/test.py $(ARGS)

test-all:  ## as `make test`, then the tests with heavy real parts (Chromium, SuperCollider, an ARM emulator)
	@$(SETUP) test-all
	@$(MAKE) --no-print-directory test
	@$(VENV)/python .ci/test.py --heavy $(ARGS)

fresh:  ## run a command as on a bare machine, in a new clone: COMMAND="make test" (Debian and Ubuntu, as root)
	@$(PYTHON) .ci/fresh.py $(COMMAND)

wheel:  ## build a wheel for any Linux of this processor, with the native backend in it, into dist/
	@$(PYTHON) .ci/wheel.py

check:  ## ruff and mypy (the tests hold the import contracts)
	@$(VENV)/python -m ruff check .
	@$(VENV)/python -m ruff format --check .
	@$(VENV)/python -m mypy

docs:  ## write what is generated from the table of parameters: docs/osc.md, the patches, the layout, the plug-in's
	@$(VENV)/python -m streamer.docs > docs/osc.md
	@$(VENV)/python -m musicgen.load.page > docs/configs.md
	@$(VENV)/python -m streamer.surfaces.bridge.header > plugin/parameters.hpp
	@$(VENV)/python examples/max/make_patch.py
	@$(VENV)/python examples/puredata/make_patch.py
	@$(VENV)/python examples/touchosc/make_layout.py
	@$(VENV)/python examples/reaper/make_script.py

bench:  ## measure this machine with nano
	@$(SETUP) play
	@$(VENV)/streamer bench $(ARGS)

train:  ## set up what training needs; training/README.md has the stages
	@$(SETUP) train
	@echo "ready: see training/README.md"

train-gpu:  ## train nano at four times its size where a GPU is: MINUTES=25 (docs: training/README.md)
	@$(or $(wildcard $(VENV)/python),$(PYTHON)) -m training.gpu $(if $(MINUTES),--minutes $(MINUTES)) $(ARGS)

clean:  ## remove the virtual environment and caches
	@$(PYTHON) -c "import shutil; [shutil.rmtree(p, ignore_errors=True) for p in ('.venv', '.mypy_cache', '.ruff_cache', '.pytest_cache', '.hypothesis', 'build', 'dist')]"
