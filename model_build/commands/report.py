"""Write an HTML page about a model for the one who runs it.

One file without anything outside it: what the model is, its error by k and shrinkage, ranking by
order, calibration, coverage, error by list length, the most similar anime of well-known titles,
with --compare the table that `compare --json` printed, and the model's picks for lists of clear
taste, or for those of --tastes. Error and ranking are measured on fans drawn from --ratings, with
the model's settings trained again without them. Example:

    python -m model_build report --ratings ratings.parquet --model model --out report.html
"""

from __future__ import annotations

from model_build.reporting.config import ReportConfig

CONFIG = ReportConfig
