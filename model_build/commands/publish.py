"""Put a model where the web application finds it, and make it the live one.

Uploads the files under the model's version, compares every one with what arrived, and moves
`latest` last. Whatever happens before that, the model that is live stays live; the same command
then completes what is missing. A model whose held-out quality fell against the live one is refused.
Example:

    python -m model_build publish --model model --to gs://bucket/models
"""

from __future__ import annotations

from model_build.artifact.config import PublishConfig

CONFIG = PublishConfig
