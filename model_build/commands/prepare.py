"""Clean a public dump of anime lists into partitioned Parquet, from which train reads.

PATH is a CSV file, a zip or a folder, as Kaggle gives it. Example:

    python -m model_build prepare --dataset hernan2020 --from archive.zip --out prepared
    python -m model_build train --ratings prepared --out model

Datasets: cooperunion2016, azathoth2018, hernan2020, dbdmobile2023, or kaggle:OWNER/NAME to download
one of them; or lists, for a table as collect and split write it, CSV or Parquet, in which half
points round up. The folder also gets a report of what was dropped and why, and the dump's
catalogue, which train uses if it is given no other.

With --add the folder keeps what it holds, and gets further partitions: those of a file of other
fans, of the same kind and cleaned alike. (A newer edition of a dump has the same fans again;
prepare it into a folder of its own.)
"""

from __future__ import annotations

from model_build.data.config import PrepareConfig

CONFIG = PrepareConfig
