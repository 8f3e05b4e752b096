"""`engine`: fit a further engine, with strengths that are searched for if that is wanted."""

from __future__ import annotations

import time
from dataclasses import replace

from app.recommender import Model
from app.recommender.artifact import ensure_replaceable, open_artifact
from model_build.data.interactions import Interactions, mask_interactions, read_interactions
from model_build.engines import als
from model_build.engines.base import (
    FittedEngine,
    add_engine,
    model_with_engine,
    training_user_arrays,
)
from model_build.engines.config import AlsEngineConfig, NetworkEngineConfig
from model_build.engines.registry import network_trainer
from model_build.engines.settings import als_settings, network_settings, read_als_interactions
from model_build.engines.user_centres import user_centre_arrays
from model_build.tuning.als_grid import best_settings, read_grid
from model_build.tuning.strength_search import print_trial, search_strengths


def fit_engine(config: AlsEngineConfig | NetworkEngineConfig) -> str:
    """Fit an engine and write the model with it; returns what was done, for people."""
    ensure_replaceable(config.out)
    model = Model.open(config.model)
    if isinstance(config, AlsEngineConfig):
        interactions = read_als_interactions(config)
        start = time.perf_counter()
        best = best_settings(*read_grid(config.grid)) if config.grid else None
        settings = als_settings(config, best)
        if config.learn_strengths:
            masked = mask_interactions(interactions, seed=config.seed)
            found = search_strengths(masked, settings, masked.new_users, print_trial)
            settings = replace(settings, strengths=found.strengths)
        fitted = als.fit(interactions, model.anime_id, settings)
    else:
        interactions = read_interactions(config.ratings)
        start = time.perf_counter()
        fit, defaults = network_trainer(config.engine)
        chosen = network_settings(config, config.engine, defaults)
        fitted = fit(interactions.entries, model.anime_id, chosen)
    seconds = time.perf_counter() - start
    if config.with_fans or config.with_centres:
        fitted = _with_user_vectors(config, fitted, interactions)
    manifest = add_engine(config.model, config.engine, fitted, config.out)
    lines = [
        f"model       {manifest.version} in {config.out}",
        f"engine      {config.engine}, fitted in {seconds:.1f} s",
        *(f"{name:<11} {value:.4f}" for name, value in fitted.metrics.items()),
    ]
    return "\n".join(lines)


def _with_user_vectors(
    config: AlsEngineConfig | NetworkEngineConfig, fitted: FittedEngine, interactions: Interactions
) -> FittedEngine:
    """The engine with the training users, folded in as it is going to fold in others.

    Or with the centres of clusters of them.
    """
    model = model_with_engine(open_artifact(config.model), config.engine, fitted, config.out)
    users = training_user_arrays(model, model.engines[config.engine], interactions)
    if config.with_centres:
        users = user_centre_arrays(users, seed=config.seed)
    return replace(fitted, arrays={**fitted.arrays, **users})
