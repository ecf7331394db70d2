# Every target sets up what it needs; nothing has to be installed by hand but Python 3.11 or newer.
# `make help` says what each does.

PYTHON ?= $(shell for p in python3.14 python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $$p && break; done || echo python3)
BIN := .venv/bin
ONCE ?=
TESTS ?= tests
JOBS ?= 2
VARIANT ?=
SECTION ?=
QUICK ?=

.DEFAULT_GOAL := help
.PHONY: help setup run browser pictures test chaos bench model mutants check format lock migrate-check clean

help: ## Show what there is to do
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: ## Install the pinned packages into .venv (the other targets do it by themselves)
	@$(PYTHON) deploy/local/install.py

run: setup ## Run everything on this machine and play the sample; ONCE=1 exits after it. BROKER=… DATABASE=… force a choice
	@$(BIN)/python -m deploy.local run $(if $(ONCE),--once)

test: setup ## Run the whole test suite against real services; TESTS=tests/unit runs a part, JOBS=1 one at a time
	@$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile $(TESTS)

browser: setup ## Have Chromium here for the tests of the screens: from Debian's packages, as root
	@$(BIN)/python -m deploy.local.browser

pictures: browser ## Photograph each screen for the README, into worker/admin/pictures
	@$(BIN)/python -m pytest tests/integration/admin/screens/pictures.py

chaos: setup ## Fault batteries, 45 min at most; BATTERY=kills SCALE=0.1 SEED=7 runs a part, or the same choices again
	@$(BIN)/python -m tests.chaos $(BATTERY) $(if $(SCALE),--scale $(SCALE)) $(if $(SEED),--seed $(SEED))

bench: setup ## Measure against what people would use instead, 1 h; QUICK=1 only sees that it works, SECTION=intake runs a part
	@$(BIN)/python -m tests.benchmarks $(SECTION) $(if $(QUICK),--quick)

model: setup ## Check the protocol's model exhaustively, and that each mechanism is missed; VARIANT=no-quarantine tells one in full
	@$(BIN)/python -m tests.model $(VARIANT)

mutants: setup ## Change the domain's decisions one by one, and see that its unit tests notice at least 90 % of it
	@$(BIN)/python -m tests.unit.domain.mutation --jobs $(JOBS)

check: setup ## Format, lint, types, import contracts, migrations, generated files, dependency audit
	@$(BIN)/python deploy/local/check.py

format: setup ## Rewrite the code in the house's format
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lock: setup ## Resolve the packages again into requirements.lock (needs uv)
	@uv pip compile --universal --generate-hashes --no-header --group dev --group local --upgrade pyproject.toml \
		--output-file requirements.lock --quiet
	@uv pip compile --universal --generate-hashes --no-header --group peers --upgrade --python-version 3.11 \
		--output-file tests/benchmarks/peers/requirements.lock --quiet

clean: ## Remove what the other targets made
	rm -rf .venv .cache mutants .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
