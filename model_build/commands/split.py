"""Take fans out of a set of ratings to measure a model on.

Writes ratings.parquet (everyone else, to train on), lists.parquet (what the model may see of the
fans taken out: 80 % of their scores and all entries without one) and holdout.parquet (the rest).
"""

from __future__ import annotations

from model_build.data.config import SplitConfig

CONFIG = SplitConfig
