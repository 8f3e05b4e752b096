"""Download a dump from Kaggle, where there is network."""

from __future__ import annotations

from pathlib import Path

from model_build.dumps.formats import DUMPS
from model_build.errors import InputError

PREFIX = "kaggle:"


def dataset_of(slug: str) -> str:
    """The name of the dump that is published as ``OWNER/NAME``.

    Raises:
        InputError: none of the dumps that Hakken reads is.
    """
    for name, dump in DUMPS.items():
        if dump.kaggle.lower() == slug.lower():
            return name
    known = ", ".join(PREFIX + dump.kaggle for dump in DUMPS.values())
    raise InputError(f"{PREFIX}{slug}: not a dump that Hakken reads; it reads {known}.")


def download(slug: str) -> Path:
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
            f"{PREFIX}{slug}: could not be downloaded ({words[:300]}); download it by hand from "
            "Kaggle and name it with --from."
        ) from None
