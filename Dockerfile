# Hakken and its bundled model, run by a user without rights: docs/deploy/docker.md
# With a digest the same bytes are built on again: --build-arg BASE=python:3.11-slim@sha256:...
ARG BASE=python:3.11-slim
FROM ${BASE} AS packages
COPY requirements.txt .
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir -r requirements.txt

# What refreshes a published model: docker build --target refresh
FROM ${BASE} AS refresh
# LightGBM has no OpenMP of its own.
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
COPY requirements-build.txt .
RUN pip install --no-cache-dir -r requirements-build.txt && python -c "import lightgbm" && \
    useradd --uid 10001 --create-home hakken
WORKDIR /hakken
COPY NOTICE ./
COPY app app
COPY bundled_model bundled_model
COPY model_build model_build
RUN mkdir -p /var/lib/hakken/models /var/lib/hakken-refresh && \
    chown hakken /var/lib/hakken/models /var/lib/hakken-refresh
ENV NUMBA_CACHE_DIR=/var/lib/hakken-refresh/compiled PYTHONUNBUFFERED=1
USER hakken
ENTRYPOINT ["python", "-m", "model_build", "refresh"]

FROM ${BASE}
LABEL org.opencontainers.image.title=Hakken \
    org.opencontainers.image.description="Recommends anime: what to watch next, and why" \
    org.opencontainers.image.licenses=MIT
RUN useradd --uid 10001 --create-home hakken
COPY --from=packages /venv /venv
WORKDIR /hakken
COPY gunicorn.conf.py NOTICE ./
COPY app app
COPY templates templates
COPY static static
COPY bundled_model bundled_model
# Code compiled for any processor of this kind: what is compiled here serves wherever the image runs.
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 NUMBA_CPU_NAME=generic NUMBA_CACHE_DIR=/hakken/compiled
# Not as the user that serves, who may not write beside the code: Python's own compiled modules, templates
# and the index of titles are kept there.
RUN mkdir compiled && python -m compileall -q app gunicorn.conf.py && \
    python -c "import app; app.create_app()" && chown -R hakken compiled
USER hakken
EXPOSE 8000
# bash asks by itself: a Python every 30 s would cost more than the visitors of a small host.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/${PORT:-8000} && printf 'GET /healthz HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]
CMD ["gunicorn", "app.wsgi:app"]
