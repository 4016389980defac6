# Works with GNU make 3.81 (macOS) and later. Another interpreter: make PYTHON=python3.12
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

SUDO = $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# $(call compile,LOCK,SOURCES): one lock for every platform and Python; no address or path gets into it
compile = $(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links $(2) --output-file $(1)

.PHONY: help install demo test lint acceptance screenshots browser bench dashboards lock clean

help:
	@sed -n 's/^## //p' Makefile

## make install      a virtual environment in .venv, with the command at .venv/bin/headroom
install: .venv/.installed

.venv/.installed: pyproject.toml requirements-dev.lock | .venv/bin/pip
	$(BIN)/pip install --quiet --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/bin/pip:
	@$(PYTHON) -c "import sys; sys.exit('Headroom needs Python 3.11 or later: make PYTHON=python3.12' if sys.version_info < (3, 11) else 0)"
	@$(PYTHON) -c "import ensurepip" 2>/dev/null || ! command -v apt-get >/dev/null || \
		{ $(SUDO) apt-get update && $(SUDO) apt-get install --yes python3-venv; }
	$(PYTHON) -m venv .venv

## make demo         Headroom against an embedded AWS on loopback; Ctrl-C ends it
demo: install
	@$(BIN)/headroom demo

## make test         all tests but acceptance
test: install
	$(BIN)/pytest

## make lint         ruff, mypy --strict, hadolint
lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/hadolint Dockerfile

## make acceptance   the whole service, with a real Prometheus and Alertmanager, and looked at in a real Chromium
acceptance: install browser $(if $(shell command -v prometheus >/dev/null && command -v promtool),,$(BIN)/prometheus) \
		$(if $(shell command -v prometheus-alertmanager || command -v alertmanager),,$(BIN)/prometheus-alertmanager)
	$(BIN)/pytest tests/acceptance

## make screenshots  the pictures of the demo in docs/
screenshots: install browser
	$(BIN)/python -m tests.screenshots

# Unlike Prometheus' programs it needs too many libraries to be unpacked alone.
browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
		{ command -v apt-get >/dev/null || { echo "The pages are tested in Chromium: install it (brew install chromium), then run make again."; exit 1; } >&2; \
		$(SUDO) apt-get install --yes --no-install-recommends chromium || \
		{ $(SUDO) apt-get update && $(SUDO) apt-get install --yes --no-install-recommends chromium; }; }

# The Debian package's two programs, unpacked rather than installed: no service starts, and .venv holds all there is.
$(BIN)/prometheus: | .venv/.installed
	@command -v apt-get >/dev/null || { echo "The acceptance tests need prometheus and promtool: install them (brew install prometheus), then run make again."; exit 1; } >&2
	rm -rf .venv/deb && mkdir .venv/deb
	cd .venv/deb && { apt-get download prometheus 2>/dev/null || { $(SUDO) apt-get update && apt-get download prometheus; }; }
	dpkg-deb --fsys-tarfile .venv/deb/prometheus_*.deb | \
		tar -x -C $(BIN) --strip-components=3 ./usr/bin/prometheus ./usr/bin/promtool
	rm -rf .venv/deb

# Another one, and the templates that it looks for in this one place.
$(BIN)/prometheus-alertmanager: | .venv/.installed
	@command -v apt-get >/dev/null || { echo "The acceptance tests need Alertmanager: install it, then run make again."; exit 1; } >&2
	rm -rf .venv/alertmanager && mkdir .venv/alertmanager
	cd .venv/alertmanager && { apt-get download prometheus-alertmanager 2>/dev/null || \
		{ $(SUDO) apt-get update && apt-get download prometheus-alertmanager; }; }
	dpkg-deb --extract .venv/alertmanager/*.deb .venv/alertmanager
	$(SUDO) mkdir -p /usr/share/prometheus/alertmanager
	$(SUDO) cp .venv/alertmanager/usr/share/prometheus/alertmanager/*.tmpl /usr/share/prometheus/alertmanager/
	mv .venv/alertmanager/usr/bin/prometheus-alertmanager $(BIN)/
	rm -rf .venv/alertmanager

## make bench        the measurements in bench/, one after the other
bench: install
	@set -e; for bench in bench/*.py; do echo "== $$bench"; $(BIN)/python $$bench; done

## make dashboards   write dashboards/ and docs/runbook.md anew, from the catalogue
dashboards: install
	$(BIN)/headroom dashboards prometheus
	$(BIN)/headroom dashboards grafana
	$(BIN)/headroom dashboards runbook

## make lock         rewrite the locks for pyproject.toml; what they pin already stays (to upgrade all, delete them first)
lock: | .venv/bin/pip
	$(BIN)/pip install --quiet uv
	$(call compile,requirements.lock,pyproject.toml)
	$(call compile,requirements-build.lock,--group build)
	$(call compile,requirements-dev.lock,pyproject.toml --extra demo --group dev --constraint requirements.lock)

## make clean        remove everything that was made
clean:
	rm -rf .venv .hypothesis .mypy_cache .pytest_cache .ruff_cache dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
