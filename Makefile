# Every target makes .venv and installs what it needs by itself, once; nothing is done twice.
PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# What Python has compiled is kept: hundreds of processes import the same.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo check lint test peers bench rivals format constraints clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/installed-all  ## a prompt becomes a student, with a simulated teacher: no key, no network, some 5 minutes
	$(BIN)/smelt run agents/demo/dates/prompt.md --model simulated/dates --budget 5 --out runs/dates \
		--student tiny --train-seconds 200 --test agents/demo/dates/test.jsonl

# Fast tests share nothing and run side by side. Slow ones kill, stall and wait for a third of their time, so that three
# of them keep two cores busy; the longest of them are named first, so that none is left for the end. Those that ask
# servers of others count what these let through, and run alone.
FAST := $(BIN)/python -m pytest -q -n auto
LONGEST := tests/test_kill_points.py tests/test_batch_kill_points.py tests/test_canary.py tests/test_disk_faults.py

check: lint  ## format, lint, types, architecture and fast tests (under 90 s)
	$(FAST) -m "not slow and not long"

lint: .venv/installed-dev  ## format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

test: .venv/installed-dev  ## every test, the slow ones too: kill, fault, packaging, end to end
	$(FAST) -m "not slow"
	$(BIN)/python -m pytest -q -m peers tests/peers
	$(BIN)/python -m pytest -q -n 3 --dist worksteal -m "slow and not peers" $(LONGEST) tests

# Each in an environment of its own, outside of this folder; `make test` asks those that it finds there, and installs none.
PEERS := $(or $(SMELT_PEERS),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/smelt-peers)

peers: .venv/installed-dev  ## the same questions to servers that others wrote; installs them first (2 GB, once)
	npm install --silent --no-audit --no-fund --prefix $(PEERS)/aimock @copilotkit/aimock@1.43.0
	for each in mocklimit litellm transformers; do $(PYTHON) -m venv $(PEERS)/$$each || exit 1; done
	$(PEERS)/mocklimit/bin/pip install --quiet mocklimit==0.6.0
	$(PEERS)/litellm/bin/pip install --quiet 'litellm[proxy]==1.106.2'
	$(PEERS)/transformers/bin/pip install --quiet torch==2.13.0
	$(PEERS)/transformers/bin/pip install --quiet 'transformers[serving]==5.23.0'
	SMELT_PEERS=$(PEERS) $(BIN)/python -m pytest -m peers tests/peers

bench: .venv/installed-dev  ## every benchmark; each prints a table and one JSON line
	@for script in benchmarks/bench_*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

rivals:  ## environments with other engines, for `make bench` to measure beside ours
	for each in litellm curator distilabel; do $(PYTHON) -m venv .rivals/$$each || exit 1; done
	.rivals/litellm/bin/pip install --quiet litellm
	.rivals/curator/bin/pip install --quiet bespokelabs-curator
	.rivals/distilabel/bin/pip install --quiet 'distilabel[openai]' requests

format: .venv/installed-dev  ## put the source into its standard form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

constraints: .venv/installed-dev  ## write down the versions of this environment
	( head -n 1 constraints.txt; $(BIN)/pip freeze --all --exclude smelt --exclude pip --exclude setuptools | sed 's/+cpu//' ) > constraints.new
	mv constraints.new constraints.txt

clean:  ## remove the environment and what tools leave behind
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist

.venv/bin/pip:
	$(PYTHON) -m venv .venv

# torch is pinned here too: a bare `torch` may bring gigabytes of CUDA along. Of what is installed a small part is ever
# imported, and compiled when it is.
INSTALL := $(BIN)/pip install --quiet --no-compile --constraint constraints.txt torch==2.13.0

.venv/installed-all: pyproject.toml constraints.txt | .venv/bin/pip
	$(INSTALL) --editable '.[all]'
	touch $@

.venv/installed-dev: pyproject.toml constraints.txt | .venv/bin/pip
	$(INSTALL) --editable '.[all,dev]'
	touch .venv/installed-all $@
