# Every command works from a fresh clone; what it needs is installed into .venv first.
# `make` needs Python 3.11 to 3.14, found on the PATH or given: make demo PYTHON=python3.12

VENV := .venv
PY := $(VENV)/bin/python
CANDIDATES := $(or $(PYTHON),python3.11 python3.12 python3.13 python3.14 python3)
QUIETLY := --quiet --no-input --disable-pip-version-check
# Without its pyvenv.cfg, an environment's Python is the one behind it: never install into that.
PIP_INSTALL := $(PY) -m pip install --require-virtualenv $(QUIETLY)
# Stamps: what is installed, and from which state of these two files.
FOR_USE := $(VENV)/.installed
FOR_DEVELOPMENT := $(VENV)/.installed-dev
REQUIREMENTS := pyproject.toml constraints.txt

# An environment whose folder was moved, whose Python is gone, or whose creation or installation was
# interrupted (it leaves .unfinished behind) is made anew, whatever the stamps say.
usable := test -x $(PY) && test -e $(VENV)/pyvenv.cfg && test ! -e $(VENV)/.unfinished && \
	{ test ! -e $(VENV)/.folder || test "$$(cat $(VENV)/.folder)" = "$$(pwd -P)"; }
ifneq ($(shell $(usable) && echo yes),yes)
stale := stale
endif

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test test-slow lint format types clean stale

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

demo: $(FOR_USE) ## Train on 6,000 cities for a minute, then invent ten
	$(VENV)/bin/textgenrnn train datasets/cities.txt --new --minutes 1 --output demo.safetensors --force
	$(VENV)/bin/textgenrnn generate demo.safetensors -n 10 --temperature 0.7

test: $(FOR_DEVELOPMENT) ## Run the tests
	$(PY) -m pytest

test-slow: $(FOR_DEVELOPMENT) ## Run the tests that take long
	$(PY) -m pytest -m slow

lint: $(FOR_DEVELOPMENT) ## Check style and form
	$(PY) -m ruff check
	$(PY) -m ruff format --check

format: $(FOR_DEVELOPMENT) ## Mend style and form
	$(PY) -m ruff check --fix
	$(PY) -m ruff format

types: $(FOR_DEVELOPMENT) ## Check the types
	$(PY) -m mypy src benchmarks tools

clean: ## Remove caches, builds and the demo's model; .venv stays
	rm -rf build dist demo.safetensors .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

$(FOR_USE): $(REQUIREMENTS) $(stale)
	@$(create_environment)
	@echo "Installing textgenrnn into $(VENV) (the first time takes a few minutes) ..."
	@$(call install,.)
	@touch $@

$(FOR_DEVELOPMENT): $(REQUIREMENTS) $(stale)
	@$(create_environment)
	@echo "Installing textgenrnn and its tools into $(VENV) (the first time takes a few minutes) ..."
	@$(call install,.[dev])
	@touch $(FOR_USE) $@

# The build's own packages come first and are used from the environment, since pip does not apply
# constraints to the separate environment it would build in. $(1): what to install
define install
trap 'exit 130' HUP INT TERM; \
touch $(VENV)/.unfinished; \
$(PIP_INSTALL) -c constraints.txt hatchling editables && \
$(PIP_INSTALL) -c constraints.txt --no-build-isolation -e '$(1)'; \
status=$$?; rm -f $(VENV)/.unfinished; exit $$status
endef

# Prints the path of a fitting Python: of the one behind it where a virtual environment is active, since
# that may be the one to be made anew.
base_python := 'import sys; (3, 11) <= sys.version_info[:2] <= (3, 14) or sys.exit(1); print(sys._base_executable)'

# The old environment is renamed before it is deleted, so that a half-deleted one is never taken for whole.
# Where Python comes without ensurepip (Debian without python3-venv), the pip at hand installs one inside.
define create_environment
set -e; \
if $(usable) && $(PY) -m pip --version >/dev/null 2>&1; then exit 0; fi; \
for python in $(CANDIDATES); do \
	found=$$("$$python" -c $(base_python) 2>/dev/null) && break || found=; \
done; \
if test -z "$$found"; then \
	echo "No Python 3.11 to 3.14 among: $(CANDIDATES)." >&2; \
	echo "Install one, or name it: make PYTHON=/path/to/python3" >&2; \
	exit 1; \
fi; \
echo "Creating $(VENV) with $$("$$found" --version) ..."; \
rm -rf $(VENV).old; test ! -e $(VENV) || mv $(VENV) $(VENV).old; rm -rf $(VENV).old; \
mkdir $(VENV); touch $(VENV)/.unfinished; \
if "$$found" -c 'import ensurepip' 2>/dev/null; \
then "$$found" -m venv $(VENV); \
else "$$found" -m venv --without-pip $(VENV) && \
	"$$found" -m pip --python $(PY) install $(QUIETLY) pip; \
fi || { echo "Python could not make $(VENV); on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }; \
pwd -P > $(VENV)/.folder
endef
