# Two commands: `make tables` and `make test`. Both make the pinned environment in .venv first.
PYTHON ?= python3
CORES ?= all
BIN := .venv/bin
STAMP := .venv/.complete
PEERS ?= .venv-peers

.PHONY: tables test test-slurm lint figures benchmark benchmark-gpu breakdown headline \
	benchmark-peers benchmark-scale benchmark-feeding cost pin clean

tables: $(STAMP)
	$(BIN)/snakemake all_tables --cores $(CORES) --scheduler greedy --prioritize uat_table04

# Trains parts and models that no table needs.
figures: $(STAMP)
	$(BIN)/snakemake all_figures --cores $(CORES)

# Three runs beside each other, as those of the workflow and those on a cluster mostly wait for
# processes. What these two say comes last.
PYTEST := $(BIN)/python -m pytest
test: $(STAMP)
	@mkdir -p logs
	@$(PYTEST) -rs tests/slurm >logs/test-slurm.log 2>&1 & cluster=$$!; \
	$(PYTEST) -rs tests/workflow >logs/test-workflow.log 2>&1 & workflow=$$!; \
	$(PYTEST) -rs --ignore=tests/slurm --ignore=tests/workflow; failed=$$?; \
	for process in $$workflow $$cluster; do wait $$process || failed=1; done; \
	cat logs/test-workflow.log logs/test-slurm.log; exit $$failed

# On a Slurm cluster of its own, on this machine; `make test` has these tests, too.
test-slurm: $(STAMP)
	$(PYTEST) tests/slurm

lint: $(STAMP)
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(BIN)/snakemake --lint

benchmark: $(STAMP)
	$(BIN)/python benchmarks/run.py

# What a GPU reaches. A call takes nine minutes at most; the next one goes on.
benchmark-gpu: $(STAMP)
	$(BIN)/python benchmarks/gpu.py

# Computes the embedded world, and says where the time went.
breakdown: $(STAMP)
	$(BIN)/python benchmarks/breakdown.py --run

# Paper uat on CIFAR-10, re-encoded as JPEG, on a GPU: 200 epochs, three seeds; then what Algorithm 1
# leaves open, then the sweeps. DATA is where the data sets lie.
JPEG := $(BIN)/snakemake --cores $(CORES) --resources gpu=1 --scheduler greedy \
	--configfile config/cifar.yaml config/cifar-jpeg.yaml
headline: $(STAMP)
	$(JPEG) --config data_root=$(DATA) -- uat_table01 uat_table04 uat_table13
	$(BIN)/snakemake --cores $(CORES) --resources gpu=1 --scheduler greedy --configfile \
		config/cifar.yaml config/cifar-jpeg.yaml config/cifar-variants.yaml \
		--config data_root=$(DATA) world=cifar-jpeg-variants -- uat_variants
	$(JPEG) --config data_root=$(DATA) -- uat_table05 uat_table06 uat_table12
	@for table in results/cifar-jpeg/tables/uat_table*.parquet \
		results/cifar-jpeg-variants/tables/uat_variants.parquet; do \
		$(BIN)/python -m penumbra show --reported $$table || exit 1; echo; \
		done >docs/results/cifar-jpeg.md.new
	@mv docs/results/cifar-jpeg.md.new docs/results/cifar-jpeg.md

# Training images streamed from JPEGs, against decoding alone and a DataLoader.
benchmark-feeding: $(STAMP)
	$(BIN)/python benchmarks/feeding.py

benchmark-scale: $(STAMP)
	$(BIN)/python benchmarks/scale.py --images 1300000

# Rewrites the sections of the worlds in docs/cost.md.
cost: $(STAMP)
	$(BIN)/python benchmarks/cost.py

benchmark-peers: $(STAMP) $(PEERS)/.complete
	$(BIN)/python benchmarks/peers.py --peer $(PEERS) --large

# pytorch-ood in an environment of its own, with our versions of all that both use.
$(PEERS)/.complete: envs/requirements.txt | $(STAMP)
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(PEERS)
	$(BIN)/uv pip install --quiet --python $(PEERS)/bin/python --constraints envs/requirements.txt \
	  pytorch-ood==0.4.0 torchvision scikit-learn
	touch $@

# uv installs in seconds what pip installs in minutes; both check every hash. Compiled bytecode
# keeps process starts short, where no process may write it later.
$(STAMP): envs/bootstrap.txt envs/requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Penumbra needs Python 3.11 or newer; name one: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r envs/bootstrap.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode -r envs/requirements.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

pin:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command "make pin" envs/requirements.in -o envs/requirements.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command "make pin" envs/bootstrap.in -o envs/bootstrap.txt
	$(BIN)/python envs/make_conda.py

clean:
	rm -rf .venv
