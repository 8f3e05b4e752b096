from __future__ import annotations

import pytest

from app.lists import errors
from app.lists.errors import BadFileReason, ListError, RateLimited

FAN = {"source": "AniList", "username": "fan"}
ALL = [
    errors.BadUsername(**FAN, rule="names are long"),
    errors.BadUsername(source="AniList", username="", rule="names are long"),
    errors.UnknownUser(**FAN),
    errors.PrivateList(**FAN),
    errors.PrivateList(**FAN, or_refused=True),
    errors.NotFoundOrPrivate(**FAN),
    errors.EmptyList(**FAN),
    errors.ListTooLong(**FAN, limit=20_000),
    RateLimited(**FAN),
    RateLimited(**FAN, retry_after=60),
    *(errors.SourceDown(**FAN, detail="HTTP 500: oops", trouble=each) for each in errors.Trouble),
    errors.SourceNotConfigured(source="AniList"),
    *(errors.BadListFile(reason=reason) for reason in BadFileReason),
]


@pytest.mark.parametrize("error", ALL, ids=lambda error: type(error).__name__)
def test_every_error_says_one_sentence_to_the_fan(error: ListError) -> None:
    sentence = str(error)
    assert sentence[0].isupper() or sentence.startswith("fan ")
    assert sentence.endswith(".")
    assert ". " not in sentence
    assert "oops" not in sentence
    assert isinstance(error, ListError)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "in a minute."), (0, "in 1 second."), (1, "in 1 second."), (60, "in 60 seconds."),
     (90, "in 90 seconds."), (91, "in 2 minutes."), (3600, "in 60 minutes.")],
)  # fmt: skip
def test_waits_are_said_in_words(seconds: int | None, words: str) -> None:
    assert str(RateLimited(**FAN, retry_after=seconds)).endswith(words)
