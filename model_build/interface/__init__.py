"""Hakken from Python, with DataFrames in and out (docs/python.md)."""

from model_build.interface.recommender import Recommender, train
from model_build.interface.tables import compare, compare_predictors, trials_table

__all__ = ["Recommender", "compare", "compare_predictors", "train", "trials_table"]
