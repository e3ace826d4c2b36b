# Every target does its own set-up: a virtual environment in .venv, filled from a hashed lock.
.DEFAULT_GOAL := help
.PHONY: help demo serve test lint format bench bench-peers chaos simulate lock clean runtime dev
.DELETE_ON_ERROR:

BIN := .venv/bin
PYTHONS := $(BIN)/python python3.14 python3.13 python3.12 python3.11 python3
# The first Python that is new enough and can make virtual environments.
PYTHON ?= $(shell for p in $(PYTHONS); do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
# Tests wait as much as they compute: more workers than four crowd each other.
TEST_WORKERS ?= logical
LOCK := uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--no-annotate --no-emit-index-url --no-emit-find-links --no-config
EXTRAS := --extra postgres --extra reload --extra stripe --extra systems --extra uvloop

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: runtime ## Turn a document into study notes (FILE=path for your own: text, Markdown, HTML or PDF)
	@$(BIN)/python -m systems.study_notes demo $(if $(FILE),"$$FILE")

serve: runtime ## Serve learning plans (/plans) and study notes (/notes) over HTTP on this machine, with embedded workers
	$(BIN)/python -m systems serve

test: lint ## Lint, types, import contracts and all tests
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --maxprocesses=4 --dist worksteal

lint: dev ## Lint, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: dev ## Format the code and sort its imports
	$(BIN)/ruff check --select I --fix .
	$(BIN)/ruff format .

bench: dev ## Measure the engine beside hand-written SQL floors, half an hour in all (ARGS="--part drain", ARGS=--list)
	$(BIN)/penstock bench $(ARGS)

bench-peers: dev ## Measure other job engines beside this one, each in an environment of its own (ARGS="--only pgqueuer")
	$(BIN)/python -m tools.peers $(ARGS)

chaos: dev ## Kill, stop, starve and freeze workers and databases for minutes, and check what is left (ARGS="--seed 7")
	$(BIN)/python -m tests.chaos $(ARGS)

simulate: dev ## Run random schedules of many workers on a clock moved by hand (ARGS="--seconds 600")
	$(BIN)/python -m tests.simulation $(ARGS)

lock: dev ## Write the locks anew from pyproject.toml (UPGRADE=1 takes the newest versions)
	$(BIN)/$(LOCK) $(if $(UPGRADE),--upgrade) $(EXTRAS) --group build -o requirements.lock
	$(BIN)/$(LOCK) $(if $(UPGRADE),--upgrade) $(EXTRAS) --group build --group dev -c requirements.lock -o requirements-dev.lock

clean: ## Remove the environment, caches and build products
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find src systems tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

runtime dev:
	@python="$(PYTHON)"; test -n "$$python" || { \
		echo "Penstock needs Python 3.11 or newer with venv (on Debian: apt install python3-venv)." >&2; exit 1; }; \
	"$$python" tools/setup.py $@
