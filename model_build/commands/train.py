"""Train a model and write it as one directory.

Reads CSV or Parquet files with the columns user_id, anime_id, rating (1 to 10; 0 or -1: on the
list, not scored) and optionally status (MyAnimeList's codes), or a folder that prepare wrote, with
its catalogue. Example:

    python -m model_build train --ratings ratings.parquet --catalogue anime.parquet --out model

With millions of entries, finished stages are kept in a hidden folder beside the model until it is
written: a training that was stopped goes on where it was if it is started again in the same way.
"""

from __future__ import annotations

from model_build.train.config import TrainConfig

CONFIG = TrainConfig
