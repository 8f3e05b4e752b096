# Hakken and its bundled model, run by a user without rights: docs/deploy/docker.md
FROM python:3.11-slim AS packages
COPY requirements.txt .
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir -r requirements.txt

FROM python:3.11-slim
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
RUN mkdir compiled && chown hakken compiled
USER hakken
RUN python -c "import app; app.create_app()"
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["python", "-c", \
    "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ.get(\"PORT\") or 8000}/healthz', timeout=4)"]
CMD ["gunicorn", "app.wsgi:app"]
