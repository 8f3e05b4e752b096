"""Search for the settings that measure best on fans kept out of training.

Some fans are drawn, and a fifth of the scores of each hidden; what is left of the ratings is
trained on with other settings again and again. Finished trials stay in the study file: the same
command goes on where a killed one stopped, and more --trials go on with a finished one. The best
settings are written as a file for `train --settings`. Example:

    python -m model_build tune --ratings ratings.parquet --out best.json --parts knn
    python -m model_build train --ratings ratings.parquet --settings best.json --out model

The value found flatters the settings a little, which were chosen by it: measure them on other fans.

With --folds it is KNN's k and shrinkage alone, judged by cross validation: the scores of --fans
fans are split, each fold is predicted from the others, and scikit-surprise's RandomizedSearchCV
draws the settings. Example:

    python -m model_build tune --ratings ratings.parquet --out knn_search.json --folds 3
"""

from __future__ import annotations

from model_build.tuning.config import TuneConfig

CONFIG = TuneConfig
