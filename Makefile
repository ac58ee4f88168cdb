# zooop-nb. `make help` says what there is to make.

# The first Python that fits: the distribution's own, else a newer or older one beside it.
PYTHON ?= $(shell for each in python3 python3.13 python3.12 python3.11; do \
	$$each -c 'import sys; sys.exit(not (3, 11) <= sys.version_info)' 2>/dev/null && { echo $$each; break; }; done)
VENV ?= .venv
BIN := $(VENV)/bin
WORKERS ?= 2
OUT ?= build
PIP_QUIET ?= -qq

# What the tests need of the distribution: its own browser (Playwright's would be a download from elsewhere), the
# library that Playwright's driver is linked to, and curl for the documentation's own lines.
TEST_PACKAGES := chromium fonts-dejavu-core libatomic1 curl
OTHER_PYTHONS := 3.11 3.12 3.13

.DEFAULT_GOAL := help
.PHONY: help demo lab test test-all chaos check coverage constraints clean system others $(OTHER_PYTHONS:%=on-%)
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
# The tests start hundreds of processes. Without bytecode, each would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

help: ## this list
	@echo "zooop-nb: images, video, speech and music from a notebook, with every credit accounted for."
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "PYTHON=python3.12 chooses the Python, VENV=DIR where it is set up (now: $(VENV)),"
	@echo "ARGS='--speed 1' what \`demo' and \`lab' take, JupyterLab's own arguments among it; ARGS='--rounds 9 --seed 1'"
	@echo "what \`chaos' takes (ARGS=--help lists it)."

demo: $(VENV)/.ready-demo ## run the quickstart on a local ZOOOP; the notebook and its HTML go to build/
	@$(BIN)/python -m zooop_nb demo --out $(OUT) $(ARGS)

lab: $(VENV)/.ready-lab ## open JupyterLab on the notebooks, with a local ZOOOP ready
	@$(BIN)/python -m zooop_nb lab $(ARGS)

test: $(VENV)/.ready-test system ## check the source and run all tests (sets up what they need)
	@$(MAKE) check
	@$(MAKE) others TESTS="$(QUICK_TESTS)"
	@$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
	@$(BIN)/coverage combine --quiet
	@rm -f build/coverage/data.* # of processes that were killed while they wrote it
	@$(MAKE) coverage

test-all: ## rules, contract, sandbox, faults and kernel tests on each further Python of 3.11 to 3.13 found here
	@$(MAKE) others TESTS="$(PORTABLE_TESTS)"

chaos: $(VENV)/.ready-test ## 300 kills and 300 interrupts at random moments: what was paid against the ledger
	$(BIN)/python tests/faults/chaos.py $(ARGS)

check: $(VENV)/.ready-test ## only the checks of the source: format, lint, types, imports
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache

# Rooms in which a mistake costs credits have a floor, in percent.
FLOOR_ledger := 95
FLOOR_orders := 97
FLOOR_tasks := 95
ROOMS = $(filter-out sandbox,$(patsubst zooop_nb/%/__init__.py,%,$(wildcard zooop_nb/*/__init__.py)))

coverage: $(VENV)/.ready-test ## branch coverage by room, as the last `make test' measured it
	@test -f build/coverage/data || { echo "Nothing was measured yet: make test." >&2; exit 1; }
	@echo "Branch coverage:"
	@below=0; for each in $(foreach room,$(ROOMS),$(room)=$(or $(FLOOR_$(room)),0)); do \
		room=$${each%=*}; floor=$${each#*=}; note=; \
		total=$$($(BIN)/coverage report --format=total --include="zooop_nb/$$room/**"); \
		[ "$$total" -ge "$$floor" ] || { note=" is below its floor of $$floor%"; below=1; }; \
		printf '  %-10s%3s%%%s\n' "$$room" "$$total" "$$note"; \
	done; \
	printf '  %-10s%3s%%\n' all "$$($(BIN)/coverage report --format=total)"; exit $$below

constraints: $(VENV)/.ready-dev ## bring constraints.txt up to the newest releases
	$(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --upgrade \
		--all-extras --group dev --group httpx2 --no-emit-package zooop-nb --no-header --no-annotate \
		--output-file constraints.txt

clean: ## remove what was made here: environments, build/, caches
	rm -rf $(VENV) .venv-3.* $(OUT) dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- Environments. A stamp says what was installed; it is older than these files when that has changed.
STATED := pyproject.toml constraints.txt
NO_VENV = echo "It lacks Python's venv module. On Debian or Ubuntu: apt-get install python3-venv" >&2
NO_PYTHON = echo "It needs Python 3.11 or newer. On Debian or Ubuntu: apt-get install python3 python3-venv" >&2
NO_INSTALL = echo "Installing failed. It needs the Python Package Index, or a pip configured for a mirror of it." >&2

# Groups are installed by pip 25.1 and newer.
$(VENV)/.ready-pip:
	@test -n "$(PYTHON)" || { $(NO_PYTHON); exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { $(NO_VENV); exit 1; }
	@echo "Setting up $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install $(PIP_QUIET) --upgrade "pip>=25.1" || { $(NO_INSTALL); exit 1; }
	@touch $@

define install
	@echo "Installing: $(1) $(if $(2),with group $(2))"
	@sed '$(CHANGED_PINS)' constraints.txt > $(VENV)/constraints.txt
	@$(BIN)/pip install $(PIP_QUIET) --disable-pip-version-check -c $(VENV)/constraints.txt \
		-e '$(1)' $(if $(2),--group $(2)) || { $(NO_INSTALL); exit 1; }
	@touch $@
endef

$(VENV)/.ready-demo: $(STATED) | $(VENV)/.ready-pip
	$(call install,.[sandbox],demo)
$(VENV)/.ready-lab: $(STATED) | $(VENV)/.ready-pip
	$(call install,.[sandbox$(,)lab],)
$(VENV)/.ready-test: $(STATED) | $(VENV)/.ready-pip
	$(call install,.[sandbox$(,)lab],test)
	@touch $(VENV)/.ready-demo $(VENV)/.ready-lab
$(VENV)/.ready-dev: $(STATED) | $(VENV)/.ready-pip
	$(call install,.[sandbox$(,)lab],dev)
	@touch $(VENV)/.ready-demo $(VENV)/.ready-lab $(VENV)/.ready-test
, := ,

system: $(VENV)/.ready-test
	@if { command -v chromium || command -v chromium-browser; } >/dev/null && command -v curl >/dev/null \
		&& $(BIN)/playwright --version >/dev/null 2>&1; then exit 0; fi; \
	lacking="the tests in a browser, or those with curl, cannot run" ; \
	if ! command -v apt-get >/dev/null; then \
		echo "It needs $(TEST_PACKAGES), and there is no apt-get to install them with: $$lacking." >&2; exit 0; fi; \
	if [ "$$(id -u)" = 0 ]; then as=; \
	elif sudo -n true 2>/dev/null; then as="sudo -n"; \
	else echo "sudo apt-get install $(TEST_PACKAGES): without them $$lacking." >&2; exit 0; fi; \
	echo "Installing: $(TEST_PACKAGES)"; \
	{ $$as apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
		$$as apt-get install -qq -y --no-install-recommends $(TEST_PACKAGES) >/dev/null; } \
	|| echo "Installing $(TEST_PACKAGES) failed: $$lacking." >&2

# --- Other Pythons. Each has an environment of its own, .venv-3.12, without lint, JupyterLab and browser,
# and a core of its own.
# Where a newer Python differs: sqlite3, asyncio, threads, processes. All the rest is for `make test-all'.
QUICK_TESTS := $(addprefix tests/contract/test_,client.py forks.py threads.py) \
	$(addprefix tests/rules/test_,ledger.py liveness.py promise.py dataframe.py tables.py variables.py)
PORTABLE_TESTS := tests/rules tests/contract tests/sandbox tests/faults tests/kernel
TESTS ?= $(QUICK_TESTS)
OWN = $(shell $(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')

others: $(VENV)/.ready-test
	@$(MAKE) -j $(WORKERS) --output-sync=target $(patsubst %,on-%,$(filter-out $(OWN),$(OTHER_PYTHONS))) TESTS="$(TESTS)"

# A command that is there may still not run (a pyenv shim of a version that is not chosen): it is tried.
$(OTHER_PYTHONS:%=on-%): on-%:
	@found=; for each in python$* $${PYENV_ROOT:-$$HOME/.pyenv}/versions/$*.*/bin/python; do \
		if $$each -c 'import ensurepip, venv' 2>/dev/null; then found=$$each; break; fi; done; \
	if [ -z "$$found" ]; then echo "Python $*: not on this machine, not tested."; exit 0; fi; \
	$(MAKE) VENV=.venv-$* PYTHON="$$found" .venv-$*/.ready-portable && \
	.venv-$*/bin/python -m pytest -p no:cacheprovider $(TESTS)

$(VENV)/.ready-portable: $(STATED) | $(VENV)/.ready-pip
	$(call install,.[sandbox],$(or $(GROUP),portable))

# Two dependencies are tested in two releases each. On 3.12: the newest pandas 2, by a changed line of
# constraints.txt (which pins pandas 3). On 3.13: httpx2 for httpx, see tests/conftest.py.
.venv-3.12/.ready-portable: CHANGED_PINS := s/^pandas==.*/pandas<3/
.venv-3.13/.ready-portable: GROUP := httpx2
on-3.13: export TEST_HTTPX := httpx2
