# `make gate`: gate the shipped phantom-vlm on real vLLM.   `make test`: test the gate itself.
# Both set up .venv on a fresh machine. With an NVIDIA GPU vLLM's GPU package is installed, else its CPU build.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
FLAVOUR := $(shell command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L 2>/dev/null | grep -q GPU && echo gpu || echo cpu)
STAMP := $(VENV)/.installed-$(FLAVOUR)
MODEL ?= phantom-vlm

SAMPLE := file://$(CURDIR)/reports/sample/report.html
PICTURE := chromium --headless --no-sandbox --disable-gpu --disable-background-networking --hide-scrollbars

.PHONY: install gate test test-fast lint sample gold-picture bench clean

install: $(STAMP)

gate: $(STAMP)
	$(BIN)/python -m pytest suites/ --model $(MODEL)

# Two workers, as CI has two cores; tests/conftest.py says what stays together, and what begins.
WORKERS := -n 2 --dist loadscope --no-loadscope-reorder

test: $(STAMP) lint
	$(BIN)/python -m pytest tests/ $(WORKERS)

test-fast: $(STAMP)
	$(BIN)/python -m pytest tests/ $(WORKERS) -m "not vllm"

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

sample: $(STAMP)
	rm -rf reports/sample
	$(BIN)/python -m pytest suites/ --model phantom-vlm --run-dir reports/sample --fresh -q
	rm -f reports/sample/server.log
	$(PICTURE) --window-size=1200,1500 --screenshot=reports/sample/report.png $(SAMPLE)
	$(PICTURE) --window-size=1200,1050 --screenshot=reports/sample/instance.png '$(SAMPLE)#phantom/ct-018-0'

gold-picture: $(STAMP)
	$(BIN)/python tests/browser/picture_of_gold.py docs/gold.png

bench: $(STAMP)
	$(BIN)/python benchmarks/engine.py
	$(BIN)/python benchmarks/items.py
	$(BIN)/python benchmarks/prefix_cache.py
	$(BIN)/python benchmarks/load.py
	$(BIN)/python benchmarks/manifest.py
	$(BIN)/python benchmarks/dicom.py
	$(BIN)/python benchmarks/report.py
	$(BIN)/python benchmarks/decision_error.py

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; try make PYTHON=python3.11 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[$(FLAVOUR),dev]'
ifeq ($(FLAVOUR),cpu)
	# The CPU build of vLLM pulls these in, built for CUDA; beside a CPU torch they cannot be imported.
	$(BIN)/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
endif
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info
