# Works with GNU make 3.81 (macOS) and later. Another interpreter: make PYTHON=python3.12
PYTHON ?= python3
BIN := .venv/bin
USER_PATH := $(PATH)
export PATH := $(CURDIR)/$(BIN):$(PATH)

# Tests wait for servers and timers about half of the time.
WORKERS ?= $(shell $(PYTHON) -c "import os; print(2 * (os.cpu_count() or 1))")

SUDO = $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# $(call compile,LOCK,SOURCES): one lock for every platform and Python; no address or path gets into it
compile = $(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links $(2) --output-file $(1)

# $(call bill,LOCK,FILE): the same file for the same lock
bill = $(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --mc-type application --output-reproducible \
	--of JSON --sv 1.6 --output-file $(2) $(1)

.PHONY: help install demo test lint acceptance screenshots browser bench bench-peers dashboards manifests charts sbom \
	lock clean

help:
	@sed -n 's/^## //p' Makefile

## make install      create a virtual environment in .venv, with the command .venv/bin/headroom
install: .venv/.installed

# The lock names all packages, so nothing is left to resolve. All cores compile, where pip uses one.
.venv/.installed: pyproject.toml requirements-dev.lock | .venv/bin/pip
	$(BIN)/pip install --quiet --no-deps --no-compile --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --no-deps --no-compile --no-build-isolation --editable .
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m compileall -q -j 0 .venv/lib
	@touch $@

.venv/bin/pip:
	@$(PYTHON) -c "import sys; sys.exit('Headroom needs Python 3.11 or later: make PYTHON=python3.12' if sys.version_info < (3, 11) else 0)"
	@$(PYTHON) -c "import ensurepip" 2>/dev/null || ! command -v apt-get >/dev/null || \
		{ $(SUDO) apt-get update && $(SUDO) apt-get install --yes python3-venv; }
	$(PYTHON) -m venv .venv

## make demo         run Headroom against a simulated AWS on loopback until Ctrl-C
# With the PATH of the user, whose other terminals run the commands that the demo prints.
demo: install
	@PATH='$(USER_PATH)' $(BIN)/headroom demo

## make test         run all tests but the acceptance tests
# Bytecode is written because tests start a hundred processes, each of which would compile all sources again.
test: install
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal

## make lint         run ruff, mypy --strict and hadolint
lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/hadolint Dockerfile

# Two of five workers only wait, for minutes to pass, most of the time.
## make acceptance   test the whole service with a real Prometheus, Alertmanager, Chromium and moto
acceptance: install browser $(if $(shell command -v prometheus >/dev/null && command -v promtool),,$(BIN)/prometheus) \
		$(if $(shell command -v prometheus-alertmanager || command -v alertmanager),,$(BIN)/prometheus-alertmanager) \
		$(if $(shell command -v helm),,$(if $(shell command -v go),$(BIN)/helm))
	$(BIN)/pytest --numprocesses 5 --dist loadfile --no-loadscope-reorder tests/acceptance

## make screenshots  take the screenshots of the demo in docs/
screenshots: install browser
	$(BIN)/python -m tests.screenshots

# Chromium needs too many libraries to be unpacked from its package alone, unlike Prometheus.
browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
		{ command -v apt-get >/dev/null || { echo "The pages are tested in Chromium: install it (brew install chromium), then run make again."; exit 1; } >&2; \
		$(SUDO) apt-get install --yes --no-install-recommends chromium || \
		{ $(SUDO) apt-get update && $(SUDO) apt-get install --yes --no-install-recommends chromium; }; }

# Unpacks the two programs of the Debian package into .venv: installing the package would start a service.
$(BIN)/prometheus: | .venv/.installed
	@command -v apt-get >/dev/null || { echo "The acceptance tests need prometheus and promtool: install them (brew install prometheus), then run make again."; exit 1; } >&2
	rm -rf .venv/deb && mkdir .venv/deb
	cd .venv/deb && { apt-get download prometheus 2>/dev/null || { $(SUDO) apt-get update && apt-get download prometheus; }; }
	dpkg-deb --fsys-tarfile .venv/deb/prometheus_*.deb | \
		tar -x -C $(BIN) --strip-components=3 ./usr/bin/prometheus ./usr/bin/promtool
	rm -rf .venv/deb

# The same for Alertmanager, whose templates must be in this directory.
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

# Helm is built from its sources; without Go, or where it cannot get them, the tests of the charts are left out.
$(BIN)/helm: | .venv/.installed
	GOBIN=$(CURDIR)/$(BIN) timeout 300 go install helm.sh/helm/v3/cmd/helm@v3.22.0 || \
		echo "Helm could not be built: the tests of the charts are left out." >&2

## make bench        run the benchmarks in bench/ one after the other
bench: install
	@set -e; for bench in bench/*.py; do echo "== $$bench"; $(BIN)/python $$bench; done

## make bench-peers  compare Headroom with other monitors: YACE=/path/to/yace make bench-peers
bench-peers: install
	@$(BIN)/python -m bench.peers

## make dashboards   generate dashboards/, docs/runbooks/, docs/catalogue.md and docs/services.md from the catalogue
dashboards: install
	rm -rf dashboards/prometheus dashboards/grafana docs/runbooks
	$(BIN)/headroom dashboards prometheus
	$(BIN)/headroom dashboards grafana
	$(BIN)/headroom dashboards docs
	$(BIN)/python -m tests.service_table

## make manifests    render deploy/kubernetes/ from the Helm chart
manifests: install $(if $(shell command -v helm),,$(BIN)/helm)
	$(BIN)/python -m tests.kubernetes_manifests

## make charts       package the Helm charts, with rules and dashboards, into dist/
charts: install $(if $(shell command -v helm),,$(BIN)/helm)
	helm package --destination dist deploy/helm/headroom deploy/helm/headroom-rules

## make sbom         write what is installed, in CycloneDX: dist/sbom.cdx.json, and dist/sbom-image.cdx.json of the image
sbom: install
	mkdir -p dist
	$(call bill,requirements.lock,dist/sbom.cdx.json)
	$(call bill,requirements-image.lock,dist/sbom-image.cdx.json)

## make lock         update the lock files for pyproject.toml; pinned versions stay (delete the files to upgrade all)
lock: | .venv/bin/pip
	$(BIN)/pip install --quiet uv
	$(call compile,requirements.lock,pyproject.toml)
	$(call compile,requirements-image.lock,pyproject.toml --extra tracing --constraint requirements.lock)
	$(call compile,requirements-build.lock,--group build)
	$(call compile,requirements-dev.lock,pyproject.toml --extra demo --group dev --constraint requirements.lock)

## make clean        remove all generated files
clean:
	rm -rf .venv .hypothesis .mypy_cache .pytest_cache .ruff_cache dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
