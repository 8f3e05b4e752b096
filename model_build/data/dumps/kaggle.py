"""Download a dump from Kaggle, where there is network."""

from __future__ import annotations

from pathlib import Path

from model_build.data.dumps.formats import DUMP_FORMATS
from model_build.util.errors import InputError

KAGGLE_PREFIX = "kaggle:"


def dump_name(slug: str) -> str:
    """The name of the dump that is published as ``OWNER/NAME``.

    Raises:
        InputError: none of the dumps that Hakken reads is.
    """
    for name, dump in DUMP_FORMATS.items():
        if dump.kaggle_slug.lower() == slug.lower():
            return name
    known = ", ".join(KAGGLE_PREFIX + dump.kaggle_slug for dump in DUMP_FORMATS.values())
    raise InputError(f"{KAGGLE_PREFIX}{slug}: not a dump that Hakken reads; it reads {known}.")


def download_dump(slug: str) -> Path:
    """The folder with the files of ``OWNER/NAME``, downloaded unless they are there already.

    Raises:
        InputError: kagglehub is not installed, or Kaggle cannot be reached or refuses.
    """
    try:
        import kagglehub
    except ImportError:
        raise InputError(
            "kagglehub is not installed; pip install -r requirements-build.txt, or download the "
            "dump by hand and name it with --from."
        ) from None
    try:
        return Path(kagglehub.dataset_download(slug))
    except Exception as error:  # whatever its HTTP client, its cache or Kaggle raises
        words = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{KAGGLE_PREFIX}{slug}: could not be downloaded ({words[:300]}); download it by hand from "
            "Kaggle and name it with --from."
        ) from None
