# The base, for both stages. A release pins it by digest: the platforms of a tag have one digest together, as
# `docker buildx imagetools inspect python:3.11-slim` prints it, so that
#   docker buildx build --platform linux/amd64,linux/arm64 --build-arg BASE=python:3.11-slim@sha256:... .
# builds the same image again. See docs/deploy.md.
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
RUN python -m venv /venv
WORKDIR /src
COPY requirements-image.lock requirements-build.lock ./
RUN /venv/bin/pip install --no-cache-dir --require-hashes -r requirements-image.lock \
 && pip install --no-cache-dir --require-hashes -r requirements-build.lock
COPY . .
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir dist . \
 && /venv/bin/pip install --no-cache-dir --no-deps dist/*.whl \
 && /venv/bin/pip uninstall --yes pip
# The services that come with it, checked once, so that each command starts sooner.
RUN XDG_CACHE_HOME=/venv/cache /venv/bin/headroom config schema > /dev/null \
 && chmod -R a+rX /venv/cache

FROM ${BASE}
LABEL org.opencontainers.image.title="Headroom" \
      org.opencontainers.image.description="Tells which AWS resources will run into a limit, and when"
# The root file system may be read-only: nothing is written but data/, and temporary files of SQLite to /tmp.
ENV PATH=/venv/bin:$PATH \
    XDG_CACHE_HOME=/venv/cache \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
COPY --from=build /venv /venv
# headroom.yaml is looked for here; the journal, which should outlive the container, is in data/.
WORKDIR /var/lib/headroom
RUN mkdir data && chown 65532:65532 data
VOLUME /var/lib/headroom/data
USER 65532:65532
EXPOSE 4070
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["headroom", "healthcheck"]
ENTRYPOINT ["headroom"]
# Others get there, so it starts only once headroom.yaml says, by `auth`, who may see and do what.
CMD ["serve", "--listen", "0.0.0.0:4070"]
