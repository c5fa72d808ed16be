# Every target sets up what it needs; `make help` explains them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON_IN := .venv/bin/python
ONCE ?=
UPGRADE ?=
SIZE ?=
export UPGRADE

.PHONY: help
help: ## Explain each target
	@awk 'BEGIN {FS = ":.*## "; print "make TARGET\n"} \
	  /^[a-z-]+:.*## / {printf "  \033[1m%-12s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Make .venv, install locked packages and missing system packages (the other targets call it)
	@.ci/bootstrap

.PHONY: demo
demo: setup ## Show the main job end to end and stay up; ONCE=1 ends after showing it
	@$(PYTHON_IN) -m loadtest demo $(if $(ONCE),--once)

.PHONY: test
test: setup ## Run every test (needs nothing prepared)
	@$(PYTHON_IN) -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: bench-counter
bench-counter: setup ## Measure what a patient waits for at the counter, against its limits
	@$(PYTHON_IN) -m loadtest.bench.counter

.PHONY: bench-outbox
bench-outbox: setup ## Measure how a queue of 1,000,000 visits comes back, with the drain killed (SIZE=small: 2,000)
	@$(PYTHON_IN) -m loadtest.bench.outbox --size $(or $(SIZE),full)

.PHONY: bench-sync
bench-sync: setup ## Measure the insurers' push against its limits (SIZE=small, or persons; without: 5,000,000)
	@$(PYTHON_IN) -m loadtest.bench.sync $(if $(SIZE),--size $(SIZE))

.PHONY: check
check: setup ## Lint, types and the direction of imports
	@$(PYTHON_IN) -m ruff check .
	@$(PYTHON_IN) -m ruff format --check .
	@$(PYTHON_IN) -m mypy
	@.venv/bin/lint-imports --no-cache

.PHONY: format
format: setup ## Rewrite the code the way `check` wants it
	@$(PYTHON_IN) -m ruff check --fix .
	@$(PYTHON_IN) -m ruff format .

.PHONY: loadtest
loadtest: setup ## Measure a nation's morning on this machine and judge it; SIZE=small: only that all of it works
	@$(PYTHON_IN) -m loadtest run --size $(or $(SIZE),full)

.PHONY: screens
screens: setup ## Take pictures of every screen of the counter into build/screens/
	@rm -rf build/screens
	@ELIGIBILITY_SCREENS=build/screens $(PYTHON_IN) -m pytest -q tests/browser/counter
	@echo "build/screens/ holds $$(ls build/screens | wc -l) pictures"

.PHONY: bench-growth
bench-growth: setup ## Measure whether a verification costs the same with ten million persons and fifty million stored (SIZE=small)
	@$(PYTHON_IN) -m loadtest.bench.growth --size $(or $(SIZE),full)

.PHONY: bench-hour
bench-hour: setup ## Send all peaks for an hour, and tell what autovacuum made of each table (SIZE=small)
	@$(PYTHON_IN) -m loadtest.bench.hour --size $(or $(SIZE),full)

.PHONY: openapi
openapi: setup ## Write docs/openapi/ again from the apps
	@$(PYTHON_IN) -m loadtest openapi

.PHONY: layout-docs
layout-docs: setup ## Write docs/layouts/ again from the layouts' tables
	@$(PYTHON_IN) -m payer_sync layouts --write docs/layouts

.PHONY: lock
lock: setup ## Resolve requirements/*.lock again (UPGRADE=1: to the newest versions)
	@.ci/lock

.PHONY: clean
clean: ## Remove .venv, build/ and caches; sites of load tests stay in /var/tmp/eligibility-load-UID
	@rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .hypothesis
