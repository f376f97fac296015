# The two commands are `make reproduce` and `make test`; each makes its own .venv from requirements.lock first.

SCALE ?= quick
# Where labels, fits and runs are computed: slurm, pbs, dask or MODULE:FUNCTION; by default here (docs/tasks/cluster.md).
EXECUTOR ?=
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && command -v $$p && break; done)
RUN := .venv/bin/python
failed = { echo "error: $(1)" >&2; exit 1; }

.PHONY: reproduce test test-nojit test-mutations test-browser test-fast coverage lint types notebooks-sync lab docs \
  lock clean

reproduce: .venv/installed
	$(RUN) -m electrolyte_ml reproduce --scale $(SCALE) $(if $(EXECUTOR),--executor $(EXECUTOR))

# Cheap checks first; the first one that fails ends the run.
test: lint types test-nojit
	@echo "Kernels: compiled once, before two processes share them"
	@$(RUN) -m electrolyte_ml warmup || $(call failed,the kernels cannot be compiled)
	@echo "Tests: all of them, two files at a time"
	@$(RUN) -m pytest -n 2 --dist loadfile || $(call failed,a test failed (named above))

# The kernels as plain Python on small cases: NumPy then checks every index.
test-nojit: .venv/installed
	@echo "Tests: small cases without compilation (NUMBA_DISABLE_JIT=1)"
	@NUMBA_DISABLE_JIT=1 $(RUN) -m pytest -q -m nojit || $(call failed,a test failed without compilation (named above))

# 2000 damaged files of every format that is read: hours.
test-mutations: .venv/installed
	MUTATIONS=2000 $(RUN) -m pytest -n 2 tests/test_mutations.py

# JupyterLab in a browser: sliders, views, saving. Needs Chromium; playwright is installed beside the locked packages.
test-browser: .venv/installed
	$(RUN) -m pip install --quiet --disable-pip-version-check playwright
	$(RUN) -m pytest -m browser tests/notebooks

test-fast: .venv/installed
	$(RUN) -m pytest -m "not slow and not notebooks"

# Lines that the fast tests execute; htmlcov/index.html shows them. `make test` does not measure it, which takes longer.
coverage: .venv/installed
	@NUMBA_DISABLE_JIT=1 $(RUN) -m pytest -q -m nojit --cov --cov-report=
	@$(RUN) -m pytest -q -n 2 --dist loadfile -m "not slow and not notebooks" \
	  --cov --cov-append --cov-report=term:skip-covered --cov-report=html

lint: .venv/installed
	@echo "Style: ruff"
	@$(RUN) -m ruff check . || $(call failed,ruff found what the lines above name)
	@$(RUN) -m ruff format --check electrolyte_ml tests benchmarks \
	  || $(call failed,files are not formatted; run: $(RUN) -m ruff format)
	@echo "Imports: the order of the folders"
	@$(dir $(RUN))lint-imports --no-logo --no-cache || $(call failed,an import breaks the order in pyproject.toml (named above))

types: .venv/installed
	@echo "Types: mypy"
	@$(RUN) -m mypy || $(call failed,mypy found what the lines above name)

# The notebooks and their text twins: whichever of a pair was changed last is carried over to the other.
notebooks-sync: .venv/installed
	$(RUN) -m jupytext --sync notebooks/*.ipynb
	$(RUN) -m electrolyte_ml.paper.notebooks notebooks/*.ipynb

# JupyterLab with the settings of .jupyter: saving a notebook in which nothing was changed leaves its file as it was.
lab: .venv/installed
	JUPYTER_CONFIG_PATH="$(CURDIR)/.jupyter:$$JUPYTER_CONFIG_PATH" .venv/bin/jupyter lab notebooks/index.ipynb

# The documentation, in docs/_build/html: opened from files, it needs no network, its search included.
docs: .venv/docs-installed
	$(RUN) -m sphinx --fail-on-warning --keep-going --nitpicky --jobs 2 --builder html docs docs/_build/html
	@echo "Documentation: docs/_build/html/index.html"

# Pins for Python 3.11 and later on every platform; the only target that needs uv. UPGRADE=1 renews all pins. All extras
# but three: `sevennet`, whose torch takes 6 GB (README, "What labels the data"), `openmm`, whose wheels need glibc 2.34,
# and `cluster`, which only users of a cluster need (docs/tasks/cluster.md).
# Those of `docs` have a file of their own, which only `make docs` installs.
LOCKED := notebooks crosscheck dft lammps molecules test
compile = uv pip compile pyproject.toml --universal --python-version 3.11 $(if $(UPGRADE),--upgrade) --no-emit-index-url \
  --no-emit-find-links --no-header --annotation-style line
lock:
	$(compile) $(addprefix --extra ,$(LOCKED)) -o requirements.lock
	$(compile) --extra docs --constraint requirements.lock -o docs/requirements.lock

clean:
	rm -rf .venv results docs/_build docs/notebooks docs/api/generated htmlcov .coverage

.venv/docs-installed: .venv/installed docs/requirements.lock
	@echo "Installing what the documentation needs into .venv"
	$(RUN) -m pip install --quiet --disable-pip-version-check -r docs/requirements.lock
	@touch $@

.venv/installed: requirements.lock pyproject.toml
	@if [ -z "$(PYTHON)" ]; then echo "error: no Python 3.11 or newer was found; install one, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; fi
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $(PYTHON) is older than Python 3.11; name a newer one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(RUN) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv || { echo "error: $(PYTHON) cannot make a virtual environment (on Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@echo "Installing into .venv (once, and again only when requirements.lock or pyproject.toml changes)"
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@
