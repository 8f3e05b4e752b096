"""Write measures into a model that is trained already, as train --metrics does while it trains.

They are those of a model with the same settings that had some fans left out, or of this one, where
it is this one that had. The result is a new
version; nothing but its measures and its card differs. Example:

    python -m model_build annotate --model trained --metrics measures.json --out model
"""

from __future__ import annotations

from model_build.artifact.config import AnnotateConfig

CONFIG = AnnotateConfig
