# Every target makes .venv from pyproject.toml and constraints.txt when it is missing.
PYTHON ?= python3
BIN := .venv/bin
export HF_HUB_OFFLINE ?= 1
export TOKENIZERS_PARALLELISM ?= false

.PHONY: demo test test-slow torture check bench docs format wheel-test
.DEFAULT_GOAL := test

.venv/.made: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --no-compile --constraint constraints.txt --editable ".[demo,augment,lora,onnx,openvino,eval,sweep,api,serve,dev]"
	touch $@

demo: .venv/.made  ## the whole job on an embedded synthetic task, offline: a table and a report
	$(BIN)/lmdistill distill demo --out runs/demo

test test-slow torture: export OMP_NUM_THREADS ?= 1  # two workers on tiny networks: more threads only wait for each other
test: .venv/.made  ## the test suite
	$(BIN)/python -m pytest -n 2

test-slow: .venv/.made  ## checks that take minutes
	$(BIN)/python -m pytest -m slow

torture: .venv/.made  ## kills, damaged files, simultaneous commands and bad inputs by the hundred; about an hour
	$(BIN)/python -m pytest -n 2 -m torture tests/torture

check: .venv/.made  ## linter, formatter, type checker, spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell

wheel-test: .venv/.made  ## build a wheel, install it in an empty environment, run the demo there
	$(BIN)/python tests/wheel/check_wheel.py

bench: .venv/.made  ## speed and memory; results are appended to benchmarks/
	$(BIN)/python -m benchmarks.mixkd_step
	$(BIN)/python -m benchmarks.mixkd_gradient_variance
	$(BIN)/python -m benchmarks.data_memory
	$(BIN)/python -m benchmarks.transfer
	$(BIN)/python -m benchmarks.language_loss
	$(BIN)/python -m benchmarks.language_step
	$(BIN)/python -m benchmarks.minidisc_step
	$(BIN)/python -m benchmarks.serving
	$(BIN)/python -m benchmarks.shrink
	$(BIN)/python -m benchmarks.shrink --whole
	$(BIN)/python -m benchmarks.threads
	$(BIN)/python -m benchmarks.startup

docs: .venv/.made  ## the pages that are made from code and records
	$(BIN)/python -m docs.make

format: .venv/.made  ## let the formatter have its way
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
