"""Training on a real cluster of several processes, some of which are killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import dask
import numpy as np
import polars as pl
import pytest
from distributed import LocalCluster

from app.recommender import Model
from app.recommender.array_types import Int32Array
from app.recommender.artifact import open_artifact, read_manifest
from model_build.cli import main
from model_build.data.dumps.prepared import INDEX_FILE, open_prepared_dataset
from model_build.data.ratings import read_ratings
from model_build.train import cluster as clusters
from model_build.train.cluster import (
    ClusterResources,
    DaskCluster,
    TaskFuture,
    connect_to_scheduler,
    plan_sharding,
    start_local_cluster,
)
from model_build.train.dask_statistics import train_distributed
from model_build.train.driver import train_model
from model_build.train.model_arrays import TrainedModel
from model_build.train.pair_sums import RowRange, split_row_ranges
from model_build.util.errors import InputError
from tests.model_build.data.prepared_ratings import rounding, write_catalogue, write_prepared
from tests.model_build.train.test_driver import PARTITIONS, PLAN, SETTINGS, assert_same
from tests.model_build.worlds import ROOT, random_frame
from tests.storage_emulator import StorageEmulator


@pytest.fixture(scope="module")
def bucket() -> Iterator[StorageEmulator]:
    with StorageEmulator() as emulator, pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", emulator.url)
        yield emulator


@pytest.fixture(scope="module")
def cluster(bucket: StorageEmulator) -> Iterator[DaskCluster]:
    """Workers that know where the bucket is, and do not call a lost one for half a minute."""
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "2s"}),
        start_local_cluster(2, 1_000_000_000) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("ratings") / "prepared"
    write_prepared(place, random_frame(5, 400, 150, 0.2), PARTITIONS)
    return place


@pytest.fixture(scope="module")
def here(folder: Path) -> TrainedModel:
    """What one machine makes of the same ratings."""
    return train_model(read_ratings([folder]), SETTINGS)


def test_a_lost_worker_changes_nothing(
    cluster: DaskCluster, folder: Path, here: TrainedModel, bucket: StorageEmulator
) -> None:
    """Killed while its shards are needed; they are read again, from a bucket."""
    bucket.create_bucket("lists")
    for file in (folder / INDEX_FILE, *(folder / "ratings").iterdir()):
        bucket.put("lists", f"dump/{file.relative_to(folder)}", file.read_bytes())
    killed: list[int] = []

    def kill_one(step: str, done: int, of: int) -> None:
        if step == "similarity" and not killed:
            assert done < of
            holding = {worker for own in cluster.client.who_has().values() for worker in own}
            pids = cluster.client.run(os.getpid, workers=sorted(holding)[:1])
            killed.extend(pids.values())
            os.kill(killed[0], signal.SIGKILL)

    place = "gs://lists/dump"
    found = train_distributed(
        cluster, place, open_prepared_dataset(place), SETTINGS, plan=PLAN, on_progress=kill_one
    )
    assert_same(found, here)
    assert killed
    read = sum(count for name, count in bucket.gets.items() if name.endswith(".parquet"))
    assert read > PARTITIONS


def here_ids(folder: Path) -> Int32Array:
    return read_ratings([folder]).anime_ids


def test_train_on_a_scheduler(cluster: DaskCluster, folder: Path, tmp_path: Path) -> None:
    address = cluster.client.scheduler.address
    known = [int(number) for number in here_ids(folder)]
    facts = write_catalogue(tmp_path / "anime.parquet", known, 4)
    arguments = ["train", "--ratings", str(folder), "--quiet", "--catalogue", str(facts)]
    arguments += ["--fresh-since", "2020"]
    assert main([*arguments, "--scheduler", address, "--out", str(tmp_path / "far")]) == 0
    assert main([*arguments, "--out", str(tmp_path / "here")]) == 0
    far, here = read_manifest(tmp_path / "far"), read_manifest(tmp_path / "here")
    assert far.dataset == here.dataset
    assert far.counts["fresh"] == 4
    assert far.counts == here.counts
    assert far.version.partition("-")[2] == here.version.partition("-")[2]
    assert len(Model.open(tmp_path / "far")) == far.counts["anime"]
    for name, array in open_artifact(tmp_path / "here").arrays.items():
        np.testing.assert_allclose(
            open_artifact(tmp_path / "far").arrays[name],
            array,
            rtol=1e-6,
            atol=rounding(name, array),
        )


def test_a_partition_that_changed(
    cluster: DaskCluster, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = shutil.copytree(folder, tmp_path / "prepared")
    file = other / "ratings" / "000003.parquet"
    file.write_bytes(file.read_bytes() + b"x")
    address = cluster.client.scheduler.address
    (tmp_path / "model").mkdir()
    arguments = ["train", "--ratings", str(other), "--out", str(tmp_path / "model")]
    assert main([*arguments, "--scheduler", address]) == 2
    assert (
        capsys.readouterr()
        .err.strip()
        .endswith(f"{file}: is not what prepared.json says; run prepare again.")
    )
    assert list((tmp_path / "model").iterdir()) == []


def test_a_worker_with_another_hakken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that comes later, and one that was there."""
    for package in ("app", "model_build"):
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    with (tmp_path / "model_build" / "util" / "errors.py").open("a") as file:
        file.write("# changed\n")
    monkeypatch.setattr(clusters, "CONNECT_SECONDS", 30)
    here: dict[str, object] = {"processes": False, "protocol": "tcp", "n_workers": 1}
    refused = r"has Hakken \w+, but here it is \w+; install"
    with LocalCluster(**here, dashboard_address="127.0.0.1:0") as cluster:
        address = cluster.scheduler_address
        command = [sys.executable, "-m", "distributed.cli.dask_worker", address]
        with connect_to_scheduler(address) as found:
            assert found.result(found.submit(abs, -1)) == 1
            worker = subprocess.Popen(
                [*command, "--no-dashboard", "--no-nanny"],
                cwd=tmp_path,
                env=os.environ | {"PYTHONPATH": str(tmp_path)},
                stderr=subprocess.DEVNULL,
            )
            try:
                found.client.wait_for_workers(2, timeout=60)
                cluster.scale(0)
                with pytest.raises(InputError, match=refused):
                    found.result(found.submit(abs, -1))
                with pytest.raises(InputError, match=refused), connect_to_scheduler(address):
                    pass
            finally:
                worker.terminate()
                worker.wait()


def test_a_task_at_which_workers_die() -> None:
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        pytest.raises(InputError, match="lost again and again at the same task"),
        start_local_cluster(1, 1_000_000_000) as cluster,
    ):
        cluster.submit(os._exit, 1).result()


def test_without_any_worker_left_it_says_so_and_ends(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name, seconds in (("POLL_SECONDS", 0.1), ("WORKERLESS_SECONDS", 0.3)):
        monkeypatch.setattr(clusters, name, seconds)
    monkeypatch.setattr(clusters, "CONNECT_SECONDS", 30)
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 99}),
        LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0") as empty,
    ):
        command = [sys.executable, "-m", "distributed.cli.dask_worker", empty.scheduler_address]
        with (
            subprocess.Popen(
                [*command, "--no-dashboard", "--no-nanny"], cwd=ROOT, stderr=subprocess.DEVNULL
            ),
            pytest.raises(InputError, match="there have been no workers for 0 s; start some"),
            connect_to_scheduler(empty.scheduler_address) as cluster,
        ):
            cluster.result(cluster.submit(os._exit, 1))
    assert "all workers are lost; waiting for others" in caplog.text


def test_a_scheduler_that_is_lost_on_the_way() -> None:
    here: dict[str, object] = {"processes": False, "protocol": "tcp", "n_workers": 1}
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        LocalCluster(**here, dashboard_address="127.0.0.1:0") as cluster,
        pytest.raises(InputError, match="the scheduler was lost"),
        connect_to_scheduler(cluster.scheduler_address) as found,
    ):
        found.result(submit_to_closed(cluster, found))


def submit_to_closed(cluster: LocalCluster, found: DaskCluster) -> TaskFuture:
    cluster.close()
    return found.submit(abs, 1)


def test_a_scheduler_without_workers_or_none_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "CONNECT_SECONDS", 5)
    with LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0") as empty:
        address = empty.scheduler_address
        with (
            pytest.raises(InputError, match="has no workers; start some"),
            connect_to_scheduler(address),
        ):
            pass
    monkeypatch.setattr(clusters, "CONNECT_SECONDS", 1)
    with pytest.raises(InputError, match="cannot be reached"), connect_to_scheduler(address):
        pass


def test_certificates_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    address = "tls://127.0.0.1:1"
    named = r"name the files in DASK_\w+__CA_FILE, DASK_\w+__CLIENT__CERT and DASK_\w+__CLIENT__KEY"
    with pytest.raises(InputError, match=named), connect_to_scheduler(address):
        pass
    places = {f"distributed.comm.tls.{name}": "none.pem" for name in ("ca-file", "client.cert")}
    unread = r"certificates cannot be read \(.*No such file"
    with (
        dask.config.set(places),
        pytest.raises(InputError, match=unread),
        connect_to_scheduler(address),
    ):
        pass


def test_threads_are_those_of_the_client(
    cluster: DaskCluster,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(*_: object, threads: int | None, **__: object) -> TrainedModel:
        raise InputError(f"{threads} threads")

    monkeypatch.setattr("model_build.train.dask_statistics.train_model", refuse)
    arguments = ["train", "--ratings", str(folder), "--out", str(tmp_path / "model"), "--quiet"]
    arguments += ["--threads", "3", "--scheduler", cluster.client.scheduler.address]
    assert main(arguments) == 2
    assert "3 threads" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--scheduler", "10.0.0.5"], "is no address such as tcp://"),
        (["--worker-memory", "4GB"], "goes with --local-cluster"),
        (["--local-cluster", "2", "--worker-memory", "4MB"], "600MB at least"),
        (["--local-cluster", "2", "--work", "stages"], "only a training on this machine keeps"),
    ],
)
def test_options_that_do_not_fit(
    options: list[str],
    message: str,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["train", "--ratings", str(folder), "--out", str(tmp_path / "model")]
    assert main([*arguments, *options]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_only_workers_read_buckets_and_only_what_was_prepared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "model")]
    assert main(["train", "--ratings", "gs://lists/dump", *out]) == 2
    assert "is read by workers; add --local-cluster" in capsys.readouterr().err
    pl.DataFrame({"user_id": [1]}).write_csv(tmp_path / "ratings.csv")
    csv = ["--ratings", str(tmp_path / "ratings.csv")]
    assert main(["train", *csv, *out, "--local-cluster", "1"]) == 2
    assert "holds no prepared ratings" in capsys.readouterr().err


def test_the_plan_fits_into_memory() -> None:
    plan = plan_sharding(
        ClusterResources(threads=4, bytes_per_thread=2_000_000_000), entries=100_000_000
    )
    assert plan.block_bytes == 100_000_000
    assert plan.n_shards == 8  # of 12.5 million entries of 48 bytes, 30 % of 2 GB
    assert (
        plan_sharding(
            ClusterResources(threads=4, bytes_per_thread=2_000_000_000), entries=1000
        ).n_shards
        == 4
    )


def test_blocks_cover_the_triangle_within_bounds() -> None:
    blocks = split_row_ranges(1000, 1_000_000)
    assert blocks[0].first == 0
    assert blocks[-1].last == 1000
    assert all(one.last == other.first for one, other in pairwise(blocks))
    sizes = [8 * int(np.prod(rows.shape)) for rows in blocks]
    assert max(sizes) <= 1_000_000
    assert min(sizes[:-1]) > 900_000
    assert split_row_ranges(3, 1) == [RowRange(0, 1), RowRange(1, 2), RowRange(2, 3)]
