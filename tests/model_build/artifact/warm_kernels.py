"""Loads what is compiled, once: imported by the process that others are forked from."""

from app.recommender import Model
from app.recommender.trial import try_model
from app.settings import PROJECT_ROOT

try_model(Model.open(PROJECT_ROOT / "bundled_model"))
