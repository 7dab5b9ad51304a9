# Every target builds .venv first, if it is not there: Python >= 3.11 is all that a machine needs.
#   make PYTHON=/path/to/python3.12 figures    another interpreter
#   make JOBS=8 test                           more processes

PYTHON ?=
JOBS ?= 2
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed

# The processes of one run share the cores: threads of their own would only get in each other's way.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
SHARED := --xla_cpu_multi_thread_eigen=false
# Tests and small experiments mostly compile: XLA's plain code generator and less optimisation by LLVM take half as long,
# and none at all (level 0) is best where little runs. `make test QUICK=` compiles as users do. An XLA that knows these
# options no more is not given them.
QUICK := --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1 --xla_backend_optimization_level=
compile_quickly = export XLA_FLAGS="$(XLA_FLAGS) $(SHARED)"; quick="$(if $(QUICK),$(QUICK)$(1))"; \
	  if XLA_FLAGS="$$XLA_FLAGS $$quick" $(PY) -c 'import jax; jax.devices()' >/dev/null 2>&1; \
	  then XLA_FLAGS="$$XLA_FLAGS $$quick"; fi
IS_NEW_ENOUGH := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.DEFAULT_GOAL := help
# `examples` and `verdicts` are parts of docs, `check` is one of test.
.PHONY: help setup figures figures-full docs examples verdicts test test-slow test-torch check wheel test-pythons \
        test-floor test-newest bench lint clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP) ## build .venv with everything that the other targets need

# The stamp is written last, so that an interrupted installation is taken up again. It holds the path of this folder: if
# that has changed, or the interpreter is gone, the stamp does not count.
ifneq ($(shell $(PY) -c 'print(open("$(STAMP)").read())' 2>/dev/null),$(CURDIR))
.PHONY: $(STAMP)
endif

$(STAMP): pyproject.toml
	@rm -f $@
	@if ! { $(PY) -c '$(IS_NEW_ENOUGH)' && $(PY) -m pip --version; } >/dev/null 2>&1; then \
	  found=; \
	  for python in "$(PYTHON)" python3 python3.14 python3.13 python3.12 python3.11; do \
	    if [ -n "$$python" ] && "$$python" -c '$(IS_NEW_ENOUGH)' >/dev/null 2>&1; then found=$$python; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "error: no Python >= 3.11 with the modules venv and ensurepip found (on Debian: apt install python3-venv)." >&2; \
	    echo "       Say where there is one: make setup PYTHON=/path/to/python3" >&2; \
	    exit 1; \
	  fi; \
	  echo "Building $(VENV) with $$("$$found" --version)."; \
	  "$$found" -m venv --clear $(VENV); \
	fi
	@echo "Installing hamtheory and its tools into $(VENV): once, and a few minutes."
	@{ command -v uv >/dev/null 2>&1 && uv pip install --quiet --python $(PY) --editable '.[data,test]'; } \
	  || $(PY) -m pip install -qq --editable '.[data,test]'
	@printf '%s' '$(CURDIR)' > $@

figures: $(STAMP) ## compute the experiments and draw the figures -> figures/out/index.html
	@$(call compile_quickly,1); $(PY) -m experiments all --jobs=$(JOBS)
	@$(PY) -m figures all
	@echo "The figures are in figures/out/index.html"

# Both are taken up where they were interrupted; experiments without a smaller version are computed but once.
figures-full: $(STAMP) ## the same with all instances and seeds -> figures/out/full/index.html
	@$(PY) -m experiments all --full --jobs=$(JOBS)
	@$(PY) -m figures all --full
	@$(PY) -m pytest -q -m full_size tests/experiments tests/docs
	@echo "The figures are in figures/out/full/index.html"

# All examples, those of docstrings and those of pages, are run by pytest; the notebooks are executed by the build.
docs: $(STAMP) ## execute all examples and build the documentation, offline -> docs/out/index.html
	@$(PY) -c 'import mkdocs_bibtex, mkdocstrings, sybil' 2>/dev/null || $(PY) -m pip install -qq --editable '.[docs,test]'
	@$(MAKE) --no-print-directory --jobs=2 examples verdicts
	@$(PY) -m mkdocs build --strict
	@echo "The site is in docs/out/index.html"

examples:
	@$(call compile_quickly,1); $(ONE_THREAD) $(PY) -m pytest -q -n $(JOBS) --dist loadfile \
	  hamtheory README.md CONTRIBUTING.md docs/*.md docs/guide docs/decisions docs/questions

verdicts:
	@$(call compile_quickly,0); $(ONE_THREAD) $(PY) -m hamtheory verify --mutations --json --quiet > docs/verdicts.json

test: ## run the tests, but for the slow ones
	@$(MAKE) --no-print-directory check CHOSEN="not slow and not torch"

test-slow: ## run the slow tests
	@$(MAKE) --no-print-directory check CHOSEN="slow and not torch"

# With every Python of these that has PyTorch: that of .venv, Debian's, and those that TORCH_PYTHON names.
test-torch: $(STAMP) ## run the tests of HAM for PyTorch (on Debian: apt install python3-torch)
	@$(call compile_quickly,0); $(ONE_THREAD) $(PY) -m pytest -q tests/torch

check: $(STAMP)
	@$(call compile_quickly,0); $(ONE_THREAD) $(PY) -m pytest -q -n $(JOBS) --dist loadfile --durations 10 -m "$(CHOSEN)" $(MORE)

# Each in environments of its own, outside of this folder; TESTS="tests/flow -n 2" are others than a choice of quick ones.
wheel: $(STAMP) ## build both distributions, look into them, and try each where nothing else is installed
	@$(PY) -m tests.release wheel

test-pythons: $(STAMP) ## try the wheel with every Python from 3.11 to 3.14 that is here
	@$(PY) -m tests.release pythons

test-floor: $(STAMP) ## run quick tests with the lowest versions that pyproject.toml declares
	@$(call compile_quickly,0); $(ONE_THREAD) $(PY) -m tests.release floor $(TESTS)

test-newest: $(STAMP) ## run them with the newest versions
	@$(call compile_quickly,0); $(ONE_THREAD) $(PY) -m tests.release newest $(TESTS)

bench: $(STAMP) ## measure the speed of the solvers against their peers (installs them first)
	@$(PY) -c 'import clarabel, cvxpy, heyoka' 2>/dev/null || $(PY) -m pip install -qq --editable '.[bench]'
	@$(PY) -m experiments.benchmarks

lint: $(STAMP) ## check style, format, spelling and types
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m codespell_lib
	@$(PY) -m pyright

clean: ## remove results and caches, but not .venv
	rm -rf build dist docs/out docs/verdicts.json figures/out experiments/out .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
