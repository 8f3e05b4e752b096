"""Connect to Dask workers, and add up over them. Retries, spilling and lost workers are Dask's."""

from __future__ import annotations

import hashlib
import logging
import operator
import platform
import re
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import distributed
from dask.utils import funcname
from distributed.comm.core import CommClosedError
from distributed.scheduler import KilledWorker

from model_build.util.errors import InputError
from model_build.util.temporary_folders import temporary_folder

log = logging.getLogger(__name__)

LocalCluster: Any = distributed.LocalCluster
Security: Any = distributed.Security
Client: Any = distributed.Client  # its methods have no types
TaskFuture = distributed.Future[Any]

RETRIES = 3
CONNECT_SECONDS = 10
POLL_SECONDS = 5
"""How often it is looked whether any worker is left."""
WORKERLESS_SECONDS = 60
CERTIFICATE_VARIABLES = tuple(
    f"DASK_DISTRIBUTED__COMM__TLS__{name}" for name in ("CA_FILE", "CLIENT__CERT", "CLIENT__KEY")
)
"""How Dask is told what a client shows to a scheduler, and by whom the scheduler is known."""
MAX_PENDING_TASKS = 2
"""Blocks worked at while one is waited for; what they occupy bounds the workers' memory."""

DEFAULT_WORKER_BYTES = 4 << 30
"""Taken for the memory of a worker that was given no limit."""
WORKER_OVERHEAD_BYTES = 250_000_000
"""What a worker needs before it does anything: Hakken and its libraries."""
WORKER_ENTRY_BYTES = 48
"""What a worker holds for an entry at most: as read, and grouped with its values."""
SHARD_MEMORY_SHARE, BLOCK_MEMORY_SHARE = 0.3, 0.05


@dataclass(frozen=True, slots=True)
class ClusterResources:
    """``threads`` of all workers together, and the bytes for the data of the least of them."""

    threads: int
    bytes_per_thread: int


class DaskCluster:
    """Workers that run pure functions; arguments may be futures."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def submit(self, work: Callable[..., Any], *arguments: object) -> TaskFuture:
        """Run something once, on any worker; it is refused by one that has other versions."""
        later: TaskFuture = self.client.submit(
            _run_checked,
            environment_versions(),
            work,
            *arguments,
            key=f"{funcname(work)}-{uuid.uuid4()}",
            retries=RETRIES,
        )
        return later

    def broadcast(self, value: object) -> TaskFuture:
        """Send a value to all; it is not lost with a worker."""
        return self.submit(_identity, value)

    def result(self, future: TaskFuture) -> Any:
        """Wait for a result, but not for ever where no worker is left that could give it.

        Raises
        ------
        InputError
            There was none for `WORKERLESS_SECONDS`.
        """
        gone_at: float | None = None
        while True:
            try:
                return future.result(timeout=POLL_SECONDS)
            except TimeoutError:
                if future.status == "error":  # the task's own
                    raise
            if self.client.scheduler_info().get("workers", True):  # without: it is being asked
                gone_at = None
            elif gone_at is None:
                gone_at = time.monotonic()
                log.warning(
                    "all workers are lost; waiting for others for %.0f s", WORKERLESS_SECONDS
                )
            elif time.monotonic() - gone_at >= WORKERLESS_SECONDS:
                raise InputError(
                    f"there have been no workers for {WORKERLESS_SECONDS:.0f} s; start some again "
                    "(dask worker), with more memory if that is why they were lost."
                )

    def tree_reduce(self, futures: Sequence[TaskFuture]) -> TaskFuture:
        """Add up in pairs, and pairs of pairs: always in the same order."""
        futures = list(futures)
        while len(futures) > 1:
            pairs = list(zip(futures[::2], futures[1::2], strict=False))
            odd = futures[len(pairs) * 2 :]
            futures = [self.submit(operator.add, one, other) for one, other in pairs] + odd
        return futures[0]

    def ordered_results(self, works: Iterable[Callable[[], TaskFuture]]) -> Iterator[Any]:
        """Yield the results of many, of which only a few are under way or waiting at any time."""
        waiting: deque[TaskFuture] = deque()
        for work in works:
            waiting.append(work())
            if len(waiting) > MAX_PENDING_TASKS:
                yield self.result(waiting.popleft())
        while waiting:
            yield self.result(waiting.popleft())

    def resources(self) -> ClusterResources:
        """Ask what the workers that are there now may use."""
        workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
        limits = [(w["memory_limit"] or DEFAULT_WORKER_BYTES, w["nthreads"]) for w in workers]
        least = min((limit - WORKER_OVERHEAD_BYTES) // threads for limit, threads in limits)
        if least <= 0:
            raise InputError(
                f"a worker may use {min(limits)[0] / 1e6:.0f} MB; Hakken's code alone takes "
                f"{WORKER_OVERHEAD_BYTES / 1e6:.0f} MB, so give each more "
                "(dask worker --memory-limit)."
            )
        return ClusterResources(sum(threads for _, threads in limits), least)


@contextmanager
def connect_to_scheduler(address: str) -> Iterator[DaskCluster]:
    """Connect to a running scheduler, ``tcp://host:port``."""
    if not re.fullmatch(r"(tcp|tls|ws|wss)://\S+:[0-9]+", address):
        raise InputError(f"--scheduler {address}: is no address such as tcp://10.0.0.5:8786.")
    if address.startswith(("tls", "wss")):
        _check_certificates(address)
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"--scheduler {address}: cannot be reached ({_error_text(error)}); start one with "
            "dask scheduler, or correct the address."
        ) from None
    _silence_client()
    with client, _translate_errors(address, client):
        try:
            client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except TimeoutError:
            raise InputError(
                f"--scheduler {address}: has no workers; start some with dask worker {address}."
            ) from None
        _check_worker_versions(client)
        yield DaskCluster(client)


@contextmanager
def start_local_cluster(workers: int, worker_bytes: int) -> Iterator[DaskCluster]:
    """Start worker processes of one thread on this host, each with ``worker_bytes`` of memory."""
    where = "the workers on this host"
    with temporary_folder() as scratch:  # what does not fit into memory is of users
        try:
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                memory_limit=worker_bytes,
                dashboard_address="127.0.0.1:0",
                processes=True,
                local_directory=str(scratch),
            )
        except (RuntimeError, OSError) as error:
            raise InputError(f"{where}: cannot be started ({_error_text(error)}).") from None
        with (
            cluster,
            Client(cluster, set_as_default=False) as client,
            _translate_errors(where, client),
        ):
            yield DaskCluster(client)


def _check_certificates(address: str) -> None:
    """Say which certificates are missing; Dask itself ends in a traceback that names none."""
    try:
        found = Security().get_connection_args("client")["ssl_context"]
        problem = "" if found else "is encrypted and asks for a certificate"
    except OSError as error:
        problem = f"the certificates cannot be read ({_error_text(error)})"
    if problem:
        first, *others = CERTIFICATE_VARIABLES
        raise InputError(
            f"--scheduler {address}: {problem}; name the files in {first}, {' and '.join(others)}."
        )


def _silence_client() -> None:
    """Keep its tracebacks off the screen: what it meets is raised, and told in a sentence."""
    for name in ("distributed.client", "distributed.utils", "distributed.core"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


@contextmanager
def _translate_errors(where: str, client: Client) -> Iterator[None]:
    try:
        yield
    except KilledWorker as error:
        raise InputError(
            f"{where}: workers were lost again and again at the same task ({error.task}), mostly "
            "for want of memory; give each worker more."
        ) from None
    except MemoryError as error:
        raise InputError(
            f"{where}: a worker has too little memory ({_error_text(error)})."
        ) from None
    except CancelledError as error:
        raise InputError(f"{where}: the scheduler was lost ({_error_text(error)}).") from None
    except (OSError, RuntimeError, ValueError) as error:  # as it is met while tasks are sent
        if client.status == "running" and not isinstance(error, CommClosedError):
            raise
        raise InputError(f"{where}: the scheduler was lost ({_error_text(error)}).") from None


def _check_worker_versions(client: Client) -> None:
    """Workers must run this very code and the same libraries."""
    own = environment_versions()
    for worker, found in client.run(environment_versions, on_error="return").items():
        if isinstance(found, BaseException):
            raise InputError(
                f"worker {worker}: cannot load this Hakken ({_error_text(found)}); install the "
                "same version there."
            )
        _check_versions(worker, found, own)


def _check_versions(worker: str, found: Mapping[str, str], own: Mapping[str, str]) -> None:
    other = [name for name in own if found.get(name) != own[name]]
    if other:
        name = other[0]
        raise InputError(
            f"worker {worker}: has {name} {found.get(name)}, but here it is {own[name]}; "
            "install the same version there."
        )


def _run_checked(own: Mapping[str, str], work: Callable[..., Any], *arguments: object) -> Any:
    """Run something on a worker, which may have joined after all others were asked."""
    found = environment_versions()
    if found != own:
        _check_versions(distributed.get_worker().address, found, own)
    return work(*arguments)


@lru_cache(maxsize=1)
def environment_versions() -> dict[str, str]:
    """List what must be the same everywhere; Hakken's is a digest of its code."""
    root = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for folder in ("model_build", "app/recommender"):
        for file in sorted((root / folder).rglob("*.py")):
            digest.update(file.relative_to(root).as_posix().encode() + file.read_bytes())
    libraries = {name: version(name) for name in ("distributed", "numpy", "numba", "scipy")}
    python = ".".join(platform.python_version_tuple()[:2])
    return {"Hakken": digest.hexdigest()[:12], **libraries, "Python": python}


def _identity(value: object) -> object:
    return value


def _error_text(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


@dataclass(frozen=True, slots=True)
class ShardingPlan:
    """How many shards the work is cut into, and the bytes of a block at most."""

    n_shards: int
    block_bytes: int


def plan_sharding(resources: ClusterResources, entries: int) -> ShardingPlan:
    """Plan as few shards as fit into memory, but work for every thread.

    With each further shard there is one more block of sums to be sent for each block of rows.
    """
    fitting = int(SHARD_MEMORY_SHARE * resources.bytes_per_thread / WORKER_ENTRY_BYTES)
    return ShardingPlan(
        max(resources.threads, -(-entries // fitting)),
        int(BLOCK_MEMORY_SHARE * resources.bytes_per_thread),
    )
