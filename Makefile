# Every target sets up what it needs, in .venv; see .ci/set_up. Another Python: make test PYTHON=python3.13
# Tests run in JOBS processes; ARGS go to pytest or to the benchmarks: make test ARGS="-k plugins"

JOBS ?= 2
PYTHON ?=
export PYTHON

RUN = .venv/bin/python

.PHONY: help demo demo-ceph test planted soak bench bench-huge bench-s3 bench-ceph bench-postgresql docs lint format clean

help:
	@echo "make demo       back up, change, back up again, scrub and restore a real file system"
	@echo "make demo-ceph  the same with RBD images, on a Ceph cluster that it starts and removes"
	@echo "make test       all tests: style, types, layers, behaviour"
	@echo "make planted    show that the conformance suites find every planted fault, and print the table"
	@echo "make soak       the long tests"
	@echo "make bench      measure, and print tables; make bench-huge for 48 million blobs; bench-s3, bench-ceph, bench-postgresql: on servers"
	@echo "make docs       write the pages that are made from the code"
	@echo "make lint       style, types and layers alone"
	@echo "make format     let ruff format the code"
	@echo "make clean      remove what was made"

.venv/ready-demo: setup.py .ci/set_up
	@.ci/set_up demo

.venv/ready-demo-ceph: setup.py .ci/set_up
	@.ci/set_up demo-ceph

.venv/ready-test: setup.py .ci/set_up
	@.ci/set_up test

demo: .venv/ready-demo
	@$(RUN) demo/demo.py

demo-ceph: .venv/ready-demo-ceph
	@$(RUN) -m demo.ceph

test: .venv/ready-test
	$(RUN) -m pytest -n $(JOBS) --dist loadgroup -rs $(ARGS)

planted: .venv/ready-test
	$(RUN) -m pytest -q -s tests/planted $(ARGS)

soak: .venv/ready-test
	$(RUN) -m pytest -m soak --timeout 0 -rs -s $(ARGS)

bench: .venv/ready-test
	$(RUN) -m benchmarks.run $(ARGS)

bench-huge: .venv/ready-test
	$(RUN) -m benchmarks.metadata --huge $(ARGS)

bench-s3: .venv/ready-test
	$(RUN) -m benchmarks.s3 $(ARGS)

bench-ceph: .venv/ready-test
	$(RUN) -m benchmarks.ceph_run $(ARGS)

bench-postgresql: .venv/ready-test
	$(RUN) -m benchmarks.postgresql $(ARGS)

docs: .venv/ready-test
	$(RUN) -m tests.config.render_example > plugins.cfg.example
	$(RUN) -m docs.generate

lint: .venv/ready-test
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	.venv/bin/lint-imports

format: .venv/ready-test
	$(RUN) -m ruff format .
	$(RUN) -m ruff check --fix .

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
