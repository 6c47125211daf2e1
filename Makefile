# Podium: `make titanic` is the whole set-up and the whole run. All logic is in Python: a target is one line.

SHELL := /bin/sh
.DEFAULT_GOAL := help

SUITS := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))
PYTHON ?= $(shell for python in python3 python3.12 python3.11; do $$python -c '$(SUITS)' 2>/dev/null && echo $$python && break; done)
# What is not installed yet, or as another text: an environment holds a copy of each file whose packages it has.
# All is, where its Python became another version under it.
ABSENT := $(shell python=$$(basename "$$(readlink -f .venv/bin/python)"); packages=.venv; \
	case $$python in (python3.*) packages=.venv/lib/$$python;; esac; \
	for group in requirements*.txt; do \
		test -x .venv/bin/python && test -d $$packages && cmp -s $$group .venv/$$group || echo .venv/$$group; \
	done)
STAMP := $(filter .venv/requirements.txt,$(ABSENT))
PEERS := $(shell cmp -s tests/bench_requirements.txt .venv-bench/bench_requirements.txt || echo .venv-bench/bench_requirements.txt)
PODIUM := .venv/bin/python -m pipelines
COMPETITIONS := $(basename $(notdir $(filter-out %/__init__.py,$(wildcard pipelines/competitions/*.py))))

# What stands on the command line goes through the environment as it is written, so that neither make nor a shell reads
# it; ARGS alone are words of the shell. STORAGE and KAGGLE_ARCHIVES are read from there by the programs themselves.
SAID := A ADDRESS B BACKEND C DEVICE EXTRAS FILE MESSAGE MINUTES MODEL NAME OVER PORT RUN SEED TRIALS WORKERS
$(foreach name,$(SAID),$(eval export PODIUM_$(name) = $$(value $(name))))
unexport $(SAID)
is = $(if $(value $1),"$$PODIUM_$1")
of = $(if $(value $1),--$2 "$$PODIUM_$1")
SEARCH = $(call of,TRIALS,trials) $(call of,MINUTES,minutes) $(call of,WORKERS,workers) $(call of,BACKEND,backend) \
	$(call of,ADDRESS,address)
OF = $(call of,MODEL,model) $(call of,SEED,seed) $(call of,DEVICE,device) $(ARGS)
NEEDS_C = $(if $(value C),,$(error say which competition: make $@ C=titanic))

.PHONY: help all new ingest card train tune adopt ablate extras submit check fetch send scores repeat leaks leaderboard compare reproduce sync summary serve notebook ui bench test test-slow lint clean $(COMPETITIONS)

help:  ## list the targets
	@echo "make <target> [C=competition] [MODEL=mlp] [SEED=0] [TRIALS=50] [WORKERS=2] [DEVICE=auto|cpu|cuda] [ARGS=...]"
	@echo
	@for name in $(COMPETITIONS); do printf '  %-10s from nothing to the submission\n' "$$name"; done
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

$(COMPETITIONS): $(STAMP)
	@$(PODIUM) run $@ $(SEARCH) $(OF)

all: $(COMPETITIONS)  ## every competition, one after another

new: $(STAMP)  ## write the declaration of a competition from its CSV files: NAME=spaceship-titanic
	@$(if $(value NAME),,$(error say which: make $@ NAME=spaceship-titanic))$(PODIUM) new "$$PODIUM_NAME" $(ARGS)

ingest: $(STAMP)  ## read, check and fold the raw files of C
	@$(NEEDS_C)$(PODIUM) ingest $(call is,C) $(ARGS)

card: $(STAMP)  ## tell what to know of the rows of C: target, missing cells, train against test, repeats, leaks
	@$(NEEDS_C)$(PODIUM) card $(call is,C) $(ARGS)

train: $(STAMP)  ## train a model of C, unless that was done before
	@$(NEEDS_C)$(PODIUM) train $(call is,C) $(OF)

tune: $(STAMP)  ## search the space of a model of C: TRIALS=50 or MINUTES=10, WORKERS=2
	@$(NEEDS_C)$(PODIUM) tune $(call is,C) $(SEARCH) $(OF)

adopt: $(STAMP)  ## print the best settings of a model of C as Python, to be declared
	@$(NEEDS_C)$(PODIUM) adopt $(call is,C) $(call of,MODEL,model) $(call of,SEED,seed) $(ARGS)

ablate: $(STAMP)  ## compare all values of one setting of C: OVER=optimizer
	@$(NEEDS_C)$(if $(value OVER),,$(error say which setting: make $@ C=titanic OVER=optimizer))$(PODIUM) ablate $(call is,C) --over "$$PODIUM_OVER" $(OF)

submit: $(STAMP)  ## write the submission of C
	@$(NEEDS_C)$(PODIUM) submit $(call is,C) $(OF)

check: $(STAMP)  ## list every fault in the raw files of C, or in a submission: FILE=my.csv
	@$(NEEDS_C)$(PODIUM) check $(call is,C) $(call is,FILE) $(ARGS)

fetch: $(STAMP)  ## download the raw files of C from Kaggle, anew
	@$(NEEDS_C)$(PODIUM) fetch $(call is,C)

send: $(STAMP)  ## show what would go to Kaggle; SEND=yes sends it, MESSAGE="..."; without C what waits
	@$(PODIUM) send $(call is,C) $(call of,RUN,run) $(call of,MESSAGE,message) $(if $(filter yes YES Yes y 1,$(value SEND)),--yes) $(ARGS)

scores: $(STAMP)  ## list the submissions of C with their scores, beside the runs'
	@$(NEEDS_C)$(PODIUM) scores $(call is,C)

repeat: $(STAMP)  ## cross-validate C over ten other splits: is a score luck?
	@$(NEEDS_C)$(PODIUM) repeat $(call is,C) $(OF)

leaks: $(STAMP)  ## measure how much folds that tear the kin of C apart would flatter
	@$(NEEDS_C)$(PODIUM) leaks $(call is,C) $(call of,MODEL,model) $(call of,DEVICE,device) $(ARGS)

leaderboard: $(STAMP)  ## rank all finished runs, of C or of all; ARGS="--html board.html"
	@$(PODIUM) leaderboard $(call is,C) $(ARGS)

compare: $(STAMP)  ## is run B better than run A, or lucky? A=<run> B=<run>
	@$(if $(and $(value A),$(value B)),,$(error say which runs: make $@ A=titanic/mlp_wide B=titanic/mlp))$(PODIUM) compare "$$PODIUM_A" "$$PODIUM_B" $(ARGS)

reproduce: $(STAMP)  ## train an old run again and compare: RUN=<run>
	@$(if $(value RUN),,$(error say which run: make $@ RUN=titanic/mlp))$(PODIUM) reproduce "$$PODIUM_RUN" $(ARGS)

sync: $(STAMP)  ## send the runs that a server lacks: MLFLOW_TRACKING_URI=http://host:5000
	@$(PODIUM) sync

summary: $(STAMP)  ## print the layers of a model of C, their shapes and parameters
	@$(NEEDS_C)$(PODIUM) summary $(call is,C) $(call of,MODEL,model) $(ARGS)

serve: $(STAMP)  ## answer requests with predictions of the best run of C, on 127.0.0.1; RUN=<run> of another
	@$(NEEDS_C)$(PODIUM) serve $(call is,C) $(call of,RUN,run) $(call of,PORT,port)

notebook: $(STAMP)  ## write a notebook for Kaggle, with what it needs, of the best run of C; RUN=<run> of another
	@$(NEEDS_C)$(PODIUM) notebook $(call is,C) $(call of,RUN,run)

ui: $(STAMP)  ## compare the runs in MLflow's pages, on 127.0.0.1
	@$(PODIUM) ui $(call of,PORT,port)

bench: $(STAMP) $(PEERS)  ## measure the training beside its peers, and write docs/benchmarks.md
	@.venv/bin/python -m tests.bench $(ARGS)

test: $(ABSENT)  ## run the tests that protect a change; ARGS="tests/test_blend.py -x"
	@.venv/bin/python -m tests.lanes fast $(ARGS)

test-slow: $(ABSENT)  ## run the others: long trainings, kills, clusters, servers, the browser, the documents
	@.venv/bin/python -m tests.lanes slow $(ARGS)

lint: $(ABSENT)  ## check style, types and the import rule
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy && .venv/bin/lint-imports

extras: $(STAMP)  ## install what clusters need: EXTRAS=postgres,ray,dask
	@$(if $(value EXTRAS),,$(error say which: make $@ EXTRAS=postgres,ray,dask)).venv/bin/python -m pipelines.environment .venv --extras "$$PODIUM_EXTRAS"

clean:  ## remove the cached tables and the synthetic twins; runs and submissions stay
	@find data/cache data/synthetic -mindepth 1 -maxdepth 1 -type d -exec rm -r {} +

# The environments: what is needed is installed when its text changes, and for no other reason. What a competition reads
# of texts is installed by the command that reads it: see pipelines/environment.py.
.PHONY: $(ABSENT) $(PEERS)
$(STAMP):
	@test -n "$(PYTHON)" && "$(PYTHON)" -c '$(SUITS)' 2> /dev/null || { echo "podium: Python 3.11 or 3.12 is needed; install it, or name it: make PYTHON=/path/to/python3.12" >&2; exit 69; }
	@"$(PYTHON)" -m pipelines.environment .venv requirements.txt

$(filter-out $(STAMP),$(ABSENT)): $(STAMP)
	@.venv/bin/python -m pipelines.environment .venv $(@F)

$(PEERS): $(STAMP)
	@.venv/bin/python -m pipelines.environment .venv-bench tests/$(@F)
