# make repro: the whole pipeline on the built-in demo. make test: the tests. Both set themselves up.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: repro test bench preset tables
repro: .venv/.installed
	python -m stages.params
	dvc repro
	dvc plots show --out dvc_plots > /dev/null
	@echo; cat metrics/summary.txt
	@echo "Plots: $(CURDIR)/dvc_plots/index.html    Metrics: $(CURDIR)/metrics/"

test: .venv/.installed-dev
	ruff check .
	python -m pytest

bench: .venv/.installed-dev
	python -m benchmarks.throughput
	python -m benchmarks.indexing
	python -m benchmarks.mixture

# The paper's comparisons as DVC experiments; ARGS="--only fusion --folds 3" runs a part, cross-validated.
tables: .venv/.installed
	python -m stages.paper_tables $(ARGS)

# make preset NAME=paper writes presets/paper.yaml into params.yaml; NAME="paper cross_dataset" both, one after the other.
preset: .venv/.installed
	python -m stages.params --preset $(NAME:%=presets/%.yaml)

.venv/.installed: requirements.txt
	$(PYTHON) -m venv .venv
	python -m pip install --quiet --no-compile --disable-pip-version-check -r requirements.txt
	touch $@

.venv/.installed-dev: requirements-dev.txt .venv/.installed
	python -m pip install --quiet --no-compile --disable-pip-version-check -r requirements-dev.txt
	touch $@
