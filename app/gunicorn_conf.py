"""How gunicorn runs Hakken: ``gunicorn --config python:app.gunicorn_conf app.wsgi:app``.

In the project's folder gunicorn finds this by itself (`gunicorn.conf.py`).

The model is opened before the workers are forked, so that they share its memory. There is no access
log here: it would hold usernames. The application writes its own
(`app.web.middleware.request_context`).
"""

import gc
import os
import signal
import sys
from typing import Any

gc.disable()  # what is imported stays; from `when_ready` on, garbage is looked for

# Threads serve visitors, not one visitor's small matrices; numpy reads this when it is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from app import process_memory, server
from app.observability import logs
from app.settings import SettingsError, load_server_settings, load_settings

try:
    _settings = load_server_settings()
    _app_settings = load_settings()
except SettingsError as error:
    sys.stderr.write(f"hakken: {error}\n")
    raise SystemExit(2) from None

process_memory.tune_malloc()
logs.configure_logging(_app_settings)
if _app_settings.metrics:
    server.prepare_metrics_dir()

bind = f"0.0.0.0:{_settings.port}"
workers = _settings.workers
worker_class = server.DeadlineWorker
server.DeadlineWorker.body_deadline = _settings.body_deadline
server.DeadlineWorker.request_deadline = _settings.request_deadline
threads = _settings.threads
preload_app = True
timeout = 60
graceful_timeout = 30
keepalive = 5
# Whoever connects from this machine would be believed by default. Which proxies are, says
# HAKKEN_TRUSTED_PROXIES (`app.web.middleware.clients`).
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""
worker_tmp_dir = server.shm_directory()
logger_class = server.QuietLogger
accesslog = None
errorlog = "-"
loglevel = "info"
control_socket_disable = True  # its default place is shared by all servers of a user


def on_reload(server: Any) -> None:
    """On SIGHUP the master takes a new model first, so that the new workers share its memory."""
    _app_state(server.app).model_manager.refresh(force=True)


def post_worker_init(worker: Any) -> None:
    """A worker begins with what the master has, which may be older than what its host has by now,
    and watches for what is new from then on; SIGHUP to one worker makes that one look."""
    state = _app_state(worker.app)
    state.model_manager.activate_cached()
    state.poller.start()
    server.list_store(_app_settings).sweep()
    signal.signal(signal.SIGHUP, lambda *_: state.poller.wake())


def when_ready(_server: Any) -> None:
    """Before the workers: what the parent has noted of itself is theirs to say."""
    from app.recommender import kernels  # not before the folder of metrics has its name

    server.warn_if_root()
    server.mark_worker_dead(os.getpid())
    # Who compiled kernels would keep the first model for ever.
    process_memory.freeze_gc(collect=kernels.compiled_here())


def child_exit(_server: Any, worker: Any) -> None:
    """A worker is gone."""
    server.mark_worker_dead(worker.pid)


def on_exit(_server: Any) -> None:
    """The server stops."""
    server.remove_metrics_dir()
    server.list_store(_app_settings).clear()


def _app_state(server_app: Any) -> Any:
    return server_app.wsgi().extensions["hakken"]
