# Every target sets up what it needs; nothing has to be installed by hand but Python 3.11 or newer.
# `make help` says what each does.

PYTHON ?= $(shell for p in python3.14 python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $$p && break; done || echo python3)
BIN := .venv/bin
ONCE ?=
TESTS ?= tests
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup run test check format lock migrate-check clean

help: ## Show what there is to do
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: ## Install the pinned packages into .venv (the other targets do it by themselves)
	@$(PYTHON) deploy/local/install.py

run: setup ## Run everything on this machine and play the sample; ONCE=1 exits after it. BROKER=… DATABASE=… force a choice
	@$(BIN)/python -m deploy.local run $(if $(ONCE),--once)

test: setup ## Run the whole test suite against real services; TESTS=tests/unit runs a part, JOBS=1 one at a time
	@$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile $(TESTS)

check: setup ## Format, lint, types, import contracts, migrations, generated files, dependency audit
	@$(BIN)/python deploy/local/check.py

format: setup ## Rewrite the code in the house's format
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lock: setup ## Resolve the packages again into requirements.lock (needs uv)
	@uv pip compile --universal --generate-hashes --no-header --group dev --group local --upgrade pyproject.toml \
		--output-file requirements.lock --quiet

clean: ## Remove what the other targets made
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
