# make repro: the whole pipeline on the built-in demo. make test: the tests. make detect VIDEO=…: is this video fake? All set
# themselves up.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Containers often have Python keep no bytecode. Then each stage and each worker compiles PyTorch anew: 15 s.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: repro test detect calibrate app bench preset tables release docs help
repro: .venv/.installed  ## run the whole pipeline on the datasets of params.yaml (as shipped: the demo)
	python -m stages.params
	dvc repro
	dvc plots show --out dvc_plots > /dev/null
	@echo; cat metrics/summary.txt
	@echo "Plots: $(CURDIR)/dvc_plots/index.html    Metrics: $(CURDIR)/metrics/"

test: .venv/.installed-dev  ## lint, check types and run the tests
	ruff check .
	mypy
	hadolint Containerfile
	python -m pytest

# VIDEO: a file or a folder; ARGS="--report report.html --json result.json". Your own models judge, else the released ones.
detect: .venv/.installed  ## is a video fake? VIDEO=clip.mp4 or a folder; ARGS="--report report.html"
	$(if $(VIDEO),,$(error name a video or a folder: make detect VIDEO=clip.mp4))
	python -m stages.detect "$(VIDEO)" $(ARGS)

# REALS: a folder of your own real videos; the models go to OUT, which detect takes by ARGS="--models calibrated".
OUT = calibrated
calibrate: .venv/.installed  ## thresholds from your own real videos: REALS=folder OUT=calibrated
	$(if $(REALS),,$(error name a folder of real videos: make calibrate REALS=folder))
	python -m stages.calibrate_on "$(REALS)" --out "$(OUT)" $(ARGS)

# The same as a web page on this machine.
app: .venv/.installed-app  ## the same as a web page on this machine
	python -m stages.app $(ARGS)

bench: .venv/.installed-dev  ## measure speed
	python -m benchmarks.throughput
	python -m benchmarks.indexing
	python -m benchmarks.mixture
	python -m benchmarks.detection

# The paper's comparisons as DVC experiments; ARGS="--only fusion --folds 3" runs a part, cross-validated.
tables: .venv/.installed  ## the paper's comparisons on your datasets; ARGS="--only fusion --folds 3"
	python -m stages.paper_tables $(ARGS)

# make preset NAME=paper writes presets/paper.yaml into params.yaml; NAME="paper cross_dataset" both, one after the other.
preset: .venv/.installed  ## write presets/ into params.yaml; NAME=paper or NAME="paper cross_dataset"
	python -m stages.params --preset $(NAME:%=presets/%.yaml)

# released/NAME and docs/model-card.md, of the run in this folder; released/NAME/about.yaml has to be there.
release: NAME = people-1
release: .venv/.installed  ## make a folder of this run's models to give away; NAME=people-1
	python -m stages.release --name $(NAME)

# docs/params.md is generated, and docs/app.png where there are Chromium and a model; a broken link fails the build.
docs: .venv/.installed-docs  ## generate docs/params.md and docs/app.png, and build the documentation into site/
	python -m stages.params --docs docs/params.md
	python -m docs.screenshot
	python -m mkdocs build --strict

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/.installed: requirements.txt requirements-nodeps.txt
	$(PYTHON) -m venv .venv
	python -m pip install --quiet --no-compile --disable-pip-version-check -r requirements.txt
	python -m pip install --quiet --no-compile --disable-pip-version-check --no-deps -r requirements-nodeps.txt
	touch $@

.venv/.installed-dev: requirements-dev.txt requirements-app.txt requirements-cluster.txt requirements-guidance.txt .venv/.installed
	python -m pip install --quiet --no-compile --disable-pip-version-check -r requirements-dev.txt
	touch $@

.venv/.installed-app: requirements-app.txt .venv/.installed
	python -m pip install --quiet --no-compile --disable-pip-version-check -r requirements-app.txt
	touch $@

.venv/.installed-docs: requirements-docs.txt requirements-app.txt .venv/.installed
	python -m pip install --quiet --no-compile --disable-pip-version-check -r requirements-docs.txt
	touch $@
