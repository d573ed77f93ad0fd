# `make run` and `make test` are all one has to know; each makes what it lacks.

.DEFAULT_GOAL := help
.PHONY: help run test check style types floors migrations deployable templates bench clean

# The newest Python that can make a virtual environment; PYTHON=… takes another.
PYTHON ?= $(or $(shell for name in python3.14 python3.13 python3.12 python3.11; do \
	"$$name" config/local/check_python.py 2>/dev/null && echo "$$name" && break; done),python3)

# One more than there are cores: the tests with a browser, and those that kill things, mostly wait.
WORKERS ?= $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )))

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq --no-input
INSTALL := $(PIP) install --require-hashes --no-deps --requirement

# What a deployment must set, with values that are safe to read here: `check --deploy` wants them.
PRODUCTION := SCHOOL_ENV=production SITE_URL=https://school.example ALLOWED_HOSTS=school.example \
	DATABASE_URL=postgresql://school@db.example/school EMAIL_URL=smtps://mail.example:465 \
	BACKUP_DIR=/srv/backups \
	SECRET_KEY="$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(64))')"

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/run.stamp ## the whole school at http://localhost:8000 (PORT=8001 make run: elsewhere)
	@$(BIN)/python -m config.local.run

test: $(VENV)/dev.stamp ## all tests, in parallel (ARGS="-k draft" picks)
	@$(BIN)/python -m config.local.browser
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(ARGS)

check: ## everything but the tests (make -k check goes on after a failure)
	@$(MAKE) --no-print-directory -j2 style types floors migrations deployable templates

style: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev.stamp
	$(BIN)/python -m mypy --strict .

floors: $(VENV)/dev.stamp
	$(BIN)/lint-imports --no-cache

migrations: $(VENV)/dev.stamp
	$(BIN)/python -m config.check_migrations

deployable: $(VENV)/dev.stamp
	@echo "manage.py check --deploy, as in production"
	@$(PRODUCTION) $(BIN)/python manage.py check --deploy --fail-level WARNING

templates: $(VENV)/dev.stamp
	$(BIN)/djlint --quiet --check templates $(wildcard */templates)
	$(BIN)/djlint --quiet --lint templates $(wildcard */templates)

bench: $(VENV)/bench.stamp ## how fast switch, slots and bookings are, beside others (ARGS=slots picks)
	@$(BIN)/python -m tests.bench $(ARGS)

clean: ## removes .venv, var (the school's data!) and caches
	@! $(BIN)/python -c "import environ, psycopg" 2>/dev/null || $(BIN)/python -m config.local.clean
	@rm -rf $(VENV) var .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@command -v "$(PYTHON)" >/dev/null || { echo "Python 3.11 or newer is needed; there is none."; exit 1; }
	@"$(PYTHON)" config/local/check_python.py
	@"$(PYTHON)" -m venv --clear $(VENV)

$(VENV)/run.stamp: requirements.lock | $(BIN)/python
	@echo "Installing what the school needs …"
	@$(INSTALL) requirements.lock
	@touch $@

# Holds the other lock's packages too, in the same versions.
$(VENV)/dev.stamp: requirements-dev.lock | $(BIN)/python
	@echo "Installing what the school and its tests need …"
	@$(INSTALL) requirements-dev.lock
	@touch $@ $(VENV)/run.stamp

# What is measured beside ours; holds the packages of the other two in the same versions.
$(VENV)/bench.stamp: requirements-bench.lock | $(BIN)/python
	@echo "Installing what the school is measured beside …"
	@$(INSTALL) requirements-bench.lock
	@touch $(VENV)/run.stamp $(VENV)/dev.stamp $@
