"""A model as MLflow loads it: a list in, recommendations out.

``mlflow.pyfunc.load_model("models:/hakken/3").predict(user_list, params={"top": 10})`` calls
`_load_pyfunc`, by the name that `model_build.tracking.pyfunc_files` writes beside the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model_build.interface.recommender import Recommender


class PyfuncModel:
    """What MLflow hands lists to; their columns are those of `Recommender.recommend`."""

    def __init__(self, recommender: Recommender) -> None:
        self._recommender = recommender

    def predict(self, model_input: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Recommend for one list, a DataFrame; ``params`` are options of `recommend`."""
        return self._recommender.recommend(model_input, **(params or {}))


def _load_pyfunc(path: str) -> PyfuncModel:
    return PyfuncModel(Recommender.open(Path(path)))
