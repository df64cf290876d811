# `make test` checks everything, `make demo` shows it. `make` alone lists the rest.
.NOTPARALLEL:
.SUFFIXES:

PYTHON ?= python3
# What was compiled is kept, or each process that the tests and the demo start would compile all of it again.
export PYTHONDONTWRITEBYTECODE =

VENV = .venv
BIN = $(VENV)/bin
STAMP = $(VENV)/.installed
AXE = build/axe/axe.min.js
PIP = $(BIN)/python -m pip -qq --disable-pip-version-check --no-input
HEADING = @printf '\n== %s ==\n'
RECENT = import sys; sys.exit(sys.version_info < (3, 11))

help: ## list the targets
	@sed -n 's/^\([a-z][a-z-]*\):.*## /  \1 /p' Makefile | while read -r name what; do printf '  make %-11s%s\n' "$$name" "$$what"; done

install: $(STAMP) ## make .venv with exactly the versions in requirements.txt

$(STAMP): pyproject.toml requirements.txt
	$(HEADING) Install
	@if [ ! -x $(BIN)/python ]; then \
		for python in $(PYTHON) python3.14 python3.13 python3.12 python3.11; do \
			if "$$python" -c '$(RECENT)' >/dev/null 2>&1; then exec "$$python" -m venv $(VENV); fi; \
		done; \
		echo 'onewriter needs Python 3.11 or newer: install one, or name it: make install PYTHON=/path/to/python3.' >&2; \
		exit 1; \
	fi
	@$(BIN)/python -c '$(RECENT)' || { echo 'The Python in $(VENV) is older than 3.11: remove $(VENV) and try again.' >&2; exit 1; }
	@$(PIP) install --require-hashes -r requirements.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $(STAMP)
	@echo 'Installed in $(VENV).'

test: install lint types imports schema browser ## check everything, on SQLite and on PostgreSQL
	$(HEADING) Tests
	@$(BIN)/pytest -n auto --maxprocesses 4 --dist worksteal

test-odoo: install ## hold the Odoo connector against a real Odoo, which is fetched once (140 MiB)
	$(HEADING) Odoo
	@$(BIN)/python tools/odoo_up.py fetch || true
	@$(BIN)/pytest -rs tests/contract/odoo_lane.py

test-mariadb: install ## hold the SQL connector against a real MariaDB, out of Debian's packages (30 MiB)
	$(HEADING) MariaDB
	@$(BIN)/python tools/mariadb.py

lint: install ## check style and format
	$(HEADING) Lint
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

types: install ## check types
	$(HEADING) Types
	@$(BIN)/mypy --explicit-package-bases

imports: install ## check that imports point one way
	$(HEADING) Imports
	@$(BIN)/lint-imports --no-logo

schema: install ## fetch Shopify's published schema, which tests hold ours against
	$(HEADING) Schema
	@$(BIN)/python tools/schema.py

browser: install $(AXE) ## have Chromium and axe-core, with which tests look at the pages
	$(HEADING) Browser
	@$(BIN)/python tools/browser.py

$(AXE): tests/support/axe.toml | $(STAMP)
	@$(BIN)/python tools/vendor.py $< $(@D)

demo: install ## show it at work; with ONCE=1 play the story once and check it
	$(HEADING) Demo
	@$(BIN)/onewriter demo$${ONCE:+ --once}

bench: install ## measure it on this machine
	$(HEADING) Bench
	@$(BIN)/onewriter bench all

mutate: install ## break the rules one thing at a time, and see whether the tests notice
	$(HEADING) Mutate
	@$(BIN)/python tools/mutate.py onewriter.rules.ordering tests/rules/test_ordering.py
	@$(BIN)/python tools/mutate.py onewriter.rules.earning tests/rules/test_earning.py tests/rules/test_earning_edges.py
	@$(BIN)/python tools/mutate.py onewriter.rules.merging tests/rules/test_merging.py tests/rules/test_replaying.py
	@for part in text:values,emails,phones emails:emails phones:phone_edges,phones ids:values \
			numbering:phone_edges,phones regions:phone_edges,phones strength:strength,phone_edges,phones \
			people:people,decide nicknames:people,decide records:decide,match rule:values,decide decide:decide,match \
			clusters:match compare:values fields:values; do \
		$(BIN)/python tools/mutate.py onewriter.rules.identity.$${part%:*} \
			$$(echo $${part#*:} | sed 's,\([a-z_]*\),tests/rules/test_identity_\1.py,g;s/,/ /g') || exit 1; \
	done
	@$(BIN)/python tools/mutate.py onewriter.rules.ownership tests/rules/test_ownership.py tests/rules/test_owners.py
	@$(BIN)/python tools/mutate.py onewriter.rules.consent tests/rules/test_consent.py
	@$(BIN)/python tools/mutate.py onewriter.rules.settling tests/rules/test_settling.py
	@$(BIN)/python tools/mutate.py onewriter.rules.constraints tests/rules/test_constraints.py tests/rules/test_constraint_rights.py
	@for part in proof:proof,edges_proof checklist:checklist,edges_checklist survivor:survivor,edges_survivor \
			scope:triage,edges_triage triage:triage,edges_triage groups:diagnosing,edges_groups \
			causes.values:edges_values causes.people:edges_people causes.writers:edges_writers,edges_runs \
			causes.traits:edges_traits; do \
		$(BIN)/python tools/mutate.py onewriter.rules.diagnosis.$${part%:*} \
			$$(echo $${part#*:} | sed 's,\([a-z_]*\),tests/rules/test_diagnosis_\1.py,g;s/,/ /g') || exit 1; \
	done

format: install ## put the source in form
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

lock: ## write requirements.txt anew; with UPGRADE=1 to the newest versions that pyproject.toml allows
	$(HEADING) Lock
	@rm -rf build/lock
	@$(PYTHON) -m venv build/lock
	@build/lock/bin/python -m pip -qq --disable-pip-version-check install uv
	@echo setuptools | build/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-annotate --custom-compile-command 'make lock' --extra dev $${UPGRADE:+--upgrade} \
		pyproject.toml - --output-file requirements.txt
	@rm -rf build/lock
	@echo 'Wrote requirements.txt.'

clean: ## remove what was built; not .venv
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find src tests tools -name __pycache__ -type d -exec rm -rf {} +

.PHONY: help install test test-odoo test-mariadb lint types imports schema browser demo bench mutate format lock clean
