# Two commands do everything on a machine with Python 3.11 to 3.14: `make report`, `make test`.
# Each makes .venv and fetches the data it needs; what is done already is not done again.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Leave out data sets of the registry, for example `make report WITHOUT=lung_tumours`.
WITHOUT :=
# What the default report measures; `make report BENCHMARK=` takes every task there is.
BENCHMARK := --task denoising
LEAVE_OUT := $(addprefix --without ,$(WITHOUT))
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 ; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' \
	2>/dev/null && echo $$p && break; done)

# mypy ends with 1 when it found errors, which is no fault here, and with 2 when it could not run.
FOUND := build/types.txt
MYPY = mkdir -p build; $(BIN)/mypy > $(FOUND); test $$? -le 1 || { cat $(FOUND); exit 1; }

# Idle threads sleep soon, as in course_lib/__init__.py, also where torch is imported first.
export GOMP_SPINCOUNT ?= 2000
# Some libraries leave the locale at C; text is UTF-8 all the same.
export PYTHONUTF8 ?= 1

.PHONY: help report test test-fast lint types type-baseline lab data notebooks hooks wheel browser clean

help: ## say what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-16s%s\n", $$1, $$2}'

report: data ## run the default benchmark and write reports/default/index.html
	@status=0; $(BIN)/course bench $(BENCHMARK) $(LEAVE_OUT) || status=$$?; \
	if [ $$status -gt 1 ]; then exit $$status; fi; \
	$(BIN)/course report $(BENCHMARK) $(LEAVE_OUT) && exit $$status

test: data browser lint ## unit tests, then every notebook, student's and complete
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadgroup tests
	COURSE_PROFILE=smoke OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --nbval-lax --nbval-cell-timeout 300 notebooks solutions

test-fast: data ## unit tests that take no time, for work at the desk
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow" tests

lint: $(READY) ## ruff, types, and the notebooks against their text sources
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@$(MAKE) --no-print-directory types
	$(BIN)/course build --check

types: $(READY) ## mypy: no error beside those that mypy-baseline.txt lists, and none fewer
	@$(MYPY); $(BIN)/mypy-baseline filter < $(FOUND) || { \
	echo "Type errors shown above are new: mend them. If none is shown, some of the known ones are"; \
	echo "gone: run \`make type-baseline\`, which takes them off the list."; exit 1; }

type-baseline: $(READY) ## take mended type errors off the list; new ones are never put on it
	@$(MYPY); test ! -e mypy-baseline.txt || $(BIN)/mypy-baseline filter --allow-unsynced < $(FOUND)
	@$(BIN)/mypy-baseline sync < $(FOUND)
	@echo "$$(grep -c . mypy-baseline.txt) known type errors: say so in tests/test_habits.py, TYPE_ERRORS."

lab: data ## open JupyterLab on the start page
	$(BIN)/course lab

data: $(READY) ## fetch the embedded data sets (99 MB, once, by hash)
	@$(BIN)/course data fetch $(LEAVE_OUT)

notebooks: $(READY) ## make the notebooks from their text sources
	$(BIN)/course build

$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12, 3.13 or 3.14 with venv is needed. Install one, or name it: make PYTHON=/path/to/python3.13"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,lab]'
	@touch $@

hooks: $(READY) ## check each commit as `make lint` does
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(BIN)/pre-commit install

wheel: $(READY) ## build the wheel and try it in an environment of its own, away from the checkout
	rm -rf dist build/fresh build/elsewhere
	$(BIN)/python -m venv build/fresh
	build/fresh/bin/python -m pip wheel --quiet --disable-pip-version-check --no-deps -w dist .
	build/fresh/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt dist/*.whl
	mkdir -p build/elsewhere && cd build/elsewhere && ../fresh/bin/course --version && \
	../fresh/bin/course data fetch && ../fresh/bin/course run denoising median --profile smoke
	@echo "Built and tried: $$(ls dist/*.whl)"

# The report is also opened in a real browser. Where the system package manager may be used, it
# brings Chromium; elsewhere those tests are skipped and say what to install.
browser:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium chromium-driver >/dev/null; \
	else echo "Chromium and chromedriver are not installed: the browser tests will be skipped."; fi

clean: ## remove the environment; records, reports and the data cache stay
	rm -rf $(VENV)
