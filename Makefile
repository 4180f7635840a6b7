# make run                    the demo corpus; MUSIC=my/music for your own, CONFIG=config/fma_small.yaml for another
#                             (config/fma_metadata.yaml needs no audio)
# make predict FILES=PATH     the genres of a file, a folder or a list, by the best learner
# make tags FOLDER=my/music   what the tags of audio files say: genres, artists, what is lacking
# make export                 the best learner as a folder that works without the corpus
# make test                   the tests; TESTS="-m 'not slow'" for the fast ones
# make test-long              the long tests, of kills, full disks, bad audio, SLURM, the whole demo corpus: some 25 minutes
# make reliability            the same, and docs/reliability.md from what came of it
# make bench                  the benchmarks, as ratios against the plain way
# make check                  format, lint, the layers of the library; with a network, advisories
# make docs                   docs/configuration.md and the rule graph in docs/architecture.md, from the code
# make lock                   envs/requirements.lock from envs/requirements.in, and envs/genreflow.yaml from it
# make clean                  remove .venv; results stay
#
# CORES=4 takes so many cores, ARGS="--keep-going" gives Snakemake further arguments, PYTHON=python3.12
# names the Python to make .venv with.

# Values go to commands through the environment and as they are: neither make nor a shell may run
# what stands in the name of a file. MAKEOVERRIDES would expand them once more.
override MUSIC := $(value MUSIC)
override CONFIG := $(value CONFIG)
override FILES := $(value FILES)
override FOLDER := $(value FOLDER)
override CORES := $(value CORES)
override ARGS := $(value ARGS)
override PYTHON := $(value PYTHON)
MAKEOVERRIDES :=
export MUSIC CONFIG FILES FOLDER CORES ARGS PYTHON
TESTS ?=

# At most four, for each takes a gigabyte; a file's tests stay in one.
PROCESSES := -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

VENV := .venv
INSTALLED := $(VENV)/.installed
# For $(shell), which doesn't get what is exported.
QUOTED := '$(subst ','\'',$(PYTHON))'
COMMAND := $(VENV)/bin/python envs/command.py

export PYTHONPATH := scripts

.PHONY: run predict tags export test test-long reliability bench check docs lock clean

# No module is taken from the folder of a script, of a run or of a bundle.
run predict tags export: export PYTHONSAFEPATH := 1
run predict tags export: $(INSTALLED)
	@$(COMMAND) $@

test: $(INSTALLED)
	$(VENV)/bin/python -m pytest $(PROCESSES) $(TESTS)

test-long: $(INSTALLED)
	$(VENV)/bin/python -m pytest -m long $(TESTS)

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
	$(VENV)/bin/lint-imports
	$(VENV)/bin/snakemake --lint
	$(VENV)/bin/python envs/audit.py

docs: $(INSTALLED)
	$(VENV)/bin/python docs/generate.py

lock:
	$(VENV)/bin/python -m pip install --quiet uv
	$(VENV)/bin/uv pip compile --universal --python-version 3.11 --generate-hashes \
		--no-header --no-emit-index-url envs/requirements.in --output-file envs/requirements.lock
	$(VENV)/bin/python envs/conda.py

clean:
	rm -rf $(VENV)

# Made once; a changed lock updates it, and it is made anew where its Python is gone or is to be
# another one.
ifneq ($(shell sh envs/python.sh --keep $(VENV) $(QUOTED)),yes)
.PHONY: $(INSTALLED)
endif

$(INSTALLED): envs/requirements.lock envs/weights.txt
	@sh envs/python.sh --make $(VENV) "$$PYTHON"
	@echo "Setting up $(VENV): once, some 700 MB to download, a few minutes."
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
		--require-hashes --requirement envs/requirements.lock
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--require-hashes --requirement envs/weights.txt
	@$(VENV)/bin/python -c "from genreflow.runtime import lazy_librosa; lazy_librosa.load()"
	@touch $@
