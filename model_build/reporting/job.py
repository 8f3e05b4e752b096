"""`report` and `collect`: what was made, and an HTML page about it."""

from __future__ import annotations

from tqdm import tqdm

from app.catalogue import Catalogue
from app.recommender import Model
from app.recommender.atomic_writes import write_text_atomically
from model_build.collect.config import KitsuConfig, MyAnimeListConfig
from model_build.collect.report import render_report
from model_build.collect.runner import collect_from_kitsu, collect_from_myanimelist
from model_build.data.catalogue import read_catalogue
from model_build.data.ratings import read_ratings
from model_build.evaluate.evaluation import build_catalogue, franchise_by_anime
from model_build.reporting.collection_page import collection_report_page
from model_build.reporting.config import ReportConfig
from model_build.reporting.page import read_comparison, report_page, similar_anime
from model_build.reporting.report_charts import PROGRESS_STEPS, report_charts
from model_build.reporting.tastes import DEFAULT_FILE, read_tastes, taste_tables
from model_build.train.hyperparameters import Hyperparameters
from model_build.tuning.holdout_benchmark import HoldoutBenchmark
from model_build.util.errors import InputError


def write_report(config: ReportConfig) -> str:
    """Measure a model's settings and write the page; returns what was done, for people."""
    if config.out.is_dir():
        raise InputError(f"{config.out}: is a directory; expected a file to write a page to.")
    compared = read_comparison(config.compare) if config.compare else {}
    tastes = read_tastes(config.tastes or DEFAULT_FILE)
    model = Model.open(config.model)
    catalogue = (
        build_catalogue(read_catalogue(config.catalogue), model.anime_id)
        if config.catalogue
        else Catalogue.open(model.catalogue_path)
    )
    franchise = franchise_by_anime(catalogue)
    benchmark = HoldoutBenchmark(
        read_ratings(config.ratings),
        n_users=config.fans,
        seed=config.seed,
        franchise=franchise,
        threads=config.threads,
        parameters=model.parameters,
    )
    with tqdm(total=PROGRESS_STEPS, desc="report", unit=" step", disable=None) as bar:
        charts = report_charts(
            benchmark,
            Hyperparameters.of_manifest(model.manifest.hyperparameters),
            franchises=bool(franchise),
            on_step=lambda: bar.update(),
        )
    similar, n_users = similar_anime(model, catalogue), len(benchmark.users)
    text = report_page(
        model.manifest,
        charts,
        similar,
        compared,
        taste_tables(model, catalogue, tastes),
        n_users=n_users,
    )
    write_text_atomically(config.out, text)
    return f"written to {config.out} ({len(text) / 1e3:,.0f} kB)"


def collect(config: KitsuConfig | MyAnimeListConfig) -> str:
    """Collect lists, of Kitsu's users with a page about them; returns the report as text."""
    if isinstance(config, MyAnimeListConfig):
        return render_report(collect_from_myanimelist(config)).removesuffix("\n")
    found = collect_from_kitsu(config)
    page = collection_report_page(found.users, found.interactions, found.report)
    write_text_atomically(config.out / "report.html", page)
    return render_report(found.report).removesuffix("\n")
