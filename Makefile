# `make` alone shows what can be made.  Every target sets up its own environment first.
.POSIX:
.PHONY: help env test book pdf lint format lock upgrade clean
export PYTHON PANEL OUT OPTIONS
OUT = build
RUN = .venv/bin

define HELP
make book     execute the chapters and build the book; ends with the path of its first page
              PANEL=my.csv uses your own panel, OUT=folder writes somewhere else than build/,
              OPTIONS="--draws 500" hands options to `oulib run`
make pdf      the book that was built as one PDF, OUT.pdf; needs a Chromium
make test     run the tests
make env      only set up the environment in .venv (every other target does it by itself)
make lint     check style, formatting and types
make format   mend style and formatting where a tool can
make lock     after a change of dependencies: write requirements.lock and environment.yml anew
make upgrade  the same, with the newest version of everything
make clean    remove the environment, build/ and the caches

PYTHON=/path/to/python chooses the Python 3.12 or 3.13 to use; left out, one is looked for.
endef

help: ; @$(info $(HELP)):

env: ; @tools/setup.sh

test: env ; @$(RUN)/python -m pytest -n auto --dist loadfile

book: env ; @$(RUN)/oulib run $${PANEL:+"$$PANEL"} --out "$$OUT" $${OPTIONS:-}

pdf: env ; @$(RUN)/python tools/print_book.py "$$OUT" "$$OUT.pdf"

lint: env
	@$(RUN)/ruff check
	@$(RUN)/ruff format --check
	@$(RUN)/mypy

format: env
	@$(RUN)/ruff check --fix
	@$(RUN)/ruff format

lock upgrade: env
	@$(RUN)/python tools/environment.py
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(RUN)/uv pip compile pyproject.toml --group dev --output-file requirements.lock \
	    --universal --python-version 3.12 --fork-strategy fewest $(if $(filter upgrade,$@),--upgrade) \
	    --no-emit-index-url --no-emit-find-links --annotation-style line \
	    --custom-compile-command "make lock" --quiet

clean: ; @rm -rf .venv .cache build dist
