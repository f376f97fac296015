# The two commands are `make reproduce` and `make test`; each makes its own .venv from requirements.lock first.

SCALE ?= quick
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && command -v $$p && break; done)
RUN := .venv/bin/python

.PHONY: reproduce test test-fast notebooks-sync lab lint lock clean

reproduce: .venv/installed
	$(RUN) -m electrolyte_ml reproduce --scale $(SCALE)

test: .venv/installed
	$(RUN) -m pytest

test-fast: .venv/installed
	$(RUN) -m pytest -m "not slow and not notebooks"

lint: .venv/installed
	$(RUN) -m ruff check .

# The notebooks and their text twins: whichever of a pair was changed last is carried over to the other.
notebooks-sync: .venv/installed
	$(RUN) -m jupytext --sync notebooks/*.ipynb

lab: .venv/installed
	.venv/bin/jupyter lab notebooks

# Pins for Python 3.11 and later on every platform; the only target that needs uv.
lock:
	uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --upgrade \
	  --no-emit-index-url --no-emit-find-links --no-header --annotation-style line -o requirements.lock

clean:
	rm -rf .venv results

.venv/installed: requirements.lock pyproject.toml
	@if [ -z "$(PYTHON)" ]; then echo "error: no Python 3.11 or newer was found; install one, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; fi
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $(PYTHON) is older than Python 3.11; name a newer one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(RUN) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv || { echo "error: $(PYTHON) cannot make a virtual environment (on Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@echo "Installing into .venv (once, and again only when requirements.lock or pyproject.toml changes)"
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@
