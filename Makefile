# `make demo` and `make test` set up all they need; everything lives in .venv.
PYTHON ?= python3

.PHONY: demo test check bench clean
demo: .venv/ready
	@.venv/bin/python examples/01_whole_loop/demo.py

test: .venv/ready
	@scripts/system-packages
	@scripts/check
	@scripts/test

check: .venv/ready
	scripts/check

bench: .venv/ready
	.venv/bin/pip install --quiet --disable-pip-version-check --editable '.[bench]'
	for each in latency jitter cold_start install wear convert convert_network exact_trees variants neural \
		blocks; do \
		OMP_NUM_THREADS=1 .venv/bin/python benchmarks/$$each.py || exit; done
	.venv/bin/python benchmarks/chart.py

.venv/ready: pyproject.toml scripts/setup
	@PYTHON=$(PYTHON) scripts/setup

clean:
	rm -rf .venv .cache demo-output build dist .coverage* .mypy_cache .ruff_cache .pytest_cache
