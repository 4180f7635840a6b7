# make run            the demo corpus; CONFIG=config/fma_small.yaml for another one
# make test           the tests; TESTS="-m 'not slow'" for the fast ones
# make predict FILES=PATH   the genres of a file, a folder or a list, by the best learner
# make export         the best learner as a folder that works without the corpus
# make test-long      the tests of kills, full disks, bad audio, SLURM, the whole demo corpus: some 25 minutes
# make reliability    the same, and docs/reliability.md from what came of it
# make bench          the benchmarks, as ratios against the plain way
# make check          format and lint
# make docs           docs/configuration.md and the rule graph in the README, from the code
# make lock           envs/requirements.lock from envs/requirements.in, and envs/genreflow.yaml from it
# make clean          remove .venv; results stay

PYTHON ?= python3
CORES ?= all
CONFIG ?=
ARGS ?=
TESTS ?=
FILES ?=

# At most four, for each takes a gigabyte; a file's tests stay in one.
PROCESSES := -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

VENV := .venv
INSTALLED := $(VENV)/.installed
SNAKEMAKE := $(VENV)/bin/snakemake
CONFIGFILE := $(if $(CONFIG),--configfile $(CONFIG))

export PYTHONPATH := scripts

.PHONY: run predict export test test-long reliability bench check docs lock clean

run: $(INSTALLED)
	$(if $(CONFIG),$(SNAKEMAKE) fetch --cores $(CORES) $(CONFIGFILE) $(ARGS))
	$(SNAKEMAKE) --cores $(CORES) $(CONFIGFILE) $(ARGS)

predict: $(INSTALLED)
	$(SNAKEMAKE) predict --cores $(CORES) $(CONFIGFILE) $(ARGS) --config predict=$(FILES)

export: $(INSTALLED)
	$(SNAKEMAKE) export --cores $(CORES) $(CONFIGFILE) $(ARGS)

test: $(INSTALLED)
	$(VENV)/bin/python -m pytest $(PROCESSES) $(TESTS)

test-long: $(INSTALLED)
	$(VENV)/bin/python -m pytest -m long

reliability: export GENREFLOW_RELIABILITY := $(CURDIR)/.genreflow/reliability
reliability: $(INSTALLED)
	rm -rf $(GENREFLOW_RELIABILITY)
	mkdir -p $(GENREFLOW_RELIABILITY)
	$(VENV)/bin/python -m pytest -m long
	$(VENV)/bin/python docs/reliability.py $(GENREFLOW_RELIABILITY)

bench: $(INSTALLED)
	for script in benchmarks/*.py; do $(VENV)/bin/python $$script || exit 1; done

check: $(INSTALLED)
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/snakefmt --check Snakefile rules
	$(SNAKEMAKE) --lint

docs: $(INSTALLED)
	$(VENV)/bin/python docs/generate.py

lock:
	$(VENV)/bin/python -m pip install --quiet uv
	$(VENV)/bin/uv pip compile --universal --python-version 3.11 --generate-hashes \
		--no-header --no-emit-index-url envs/requirements.in --output-file envs/requirements.lock
	$(VENV)/bin/python envs/conda.py

clean:
	rm -rf $(VENV)

# Made once; a changed lock updates it.
$(INSTALLED): envs/requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
		f"genreflow needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}. " \
		"Name another one: make PYTHON=python3.12 ...")'
	@echo "Setting up $(VENV): once, some 700 MB to download, a few minutes."
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
		--require-hashes --requirement envs/requirements.lock
	@touch $@
