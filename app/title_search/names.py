"""Names in one text, looked through for each search.

The names of a catalogue are a megabyte: looking through it takes a fraction of a millisecond, and
nothing has to be prepared or kept beside it.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence, Set
from itertools import islice

import numpy as np

from app.recommender.array_types import Int32Array, UInt8Array

MAX_EXAMINED = 2000
"""Names with the longest word of a search that are looked at for its other words."""


_LINE_FEED = ord("\n")


class NameTable:
    """The normalized names of each anime, one anime after the other.

    What finds names yields places of anime in ascending order; one with several such names comes
    as often.
    """

    def __init__(self, text: bytes, places: Int32Array) -> None:
        self._text = text
        self.places = places
        self._starts = array("q", np.flatnonzero(self.text() == _LINE_FEED).tobytes())

    @classmethod
    def from_names(cls, names_by_anime: Iterable[Iterable[bytes]]) -> NameTable:
        """Make a table of the names of each anime, each once."""
        places: list[int] = []
        names: list[bytes] = []
        for place, found in enumerate(names_by_anime):
            for name in dict.fromkeys(found):
                if name:
                    names.append(name)
                    places.append(place)
        # A blank before each word: what begins with a blank is found at beginnings of words only.
        text = b"\n " + b"\n ".join(names) if names else b""
        # "The" is left out of what has other words.
        return cls(text.replace(b" the ", b" ") + b"\n", np.array(places, np.int32))

    def __len__(self) -> int:
        return len(self.places)

    def text(self) -> UInt8Array:
        """Return all names as (n_bytes,), a line feed before each and at the end."""
        return np.frombuffer(self._text, np.uint8)

    def names_of(self, place: int) -> list[bytes]:
        """Return the names of one anime."""
        first, end = np.searchsorted(self.places, (place, place + 1)).tolist()
        return [self.name(row) for row in range(first, end)]

    def name(self, row: int) -> bytes:
        """Return one name of all."""
        return self._text[self._starts[row] + 2 : self._starts[row + 1]]

    def places_by_name(self, wanted: Set[bytes]) -> dict[bytes, list[int]]:
        """Return the anime of each of these names that some has, in one pass over all."""
        found: dict[bytes, list[int]] = {}
        for row, line in enumerate(self._text.split(b"\n ")[1:]):
            name = line.rstrip(b"\n")
            if name in wanted:
                found.setdefault(name, []).append(int(self.places[row]))
        return found

    def holds(self, phrase: bytes) -> bool:
        """Whether a word of some name begins so, and goes on so."""
        return b" %s" % phrase in self._text

    def equal_to(self, name: bytes) -> Iterator[int]:
        """Yield the anime of this name."""
        return self._places_with(b"\n %s\n" % name)

    def beginning_with(self, start: bytes, *, is_whole: bool = False) -> Iterator[int]:
        """Yield the anime with a name that begins so; it may end in a word unless it is whole."""
        return self._places_with(b"\n %s" % start, is_whole=is_whole)

    def with_phrase(self, phrase: bytes, *, is_whole: bool = False) -> Iterator[int]:
        """Yield the anime with a name in which this stands, from the beginning of a word on."""
        return self._places_with(b" %s" % phrase, is_whole=is_whole)

    def with_letters(self, letters: bytes) -> Iterator[int]:
        """Yield the anime with a name in which this stands, wherever it does."""
        return self._places_with(letters)

    def with_words(self, words: Sequence[bytes], *, is_whole: bool = False) -> Iterator[int]:
        """Yield the anime with a name in which a word begins with each of these, in any order.

        A number is a word of the name, unless it is the last and, not being whole, may go on. One
        word alone is a phrase, and not looked for again.
        """
        if len(words) < 2:
            return
        ends = [*(word.isdigit() for word in words[:-1]), is_whole]
        longest, is_ended = max(zip(words, ends, strict=True), key=lambda pair: len(pair[0]))
        others = [
            b" %s " % word if end else b" %s" % word
            for word, end in zip(words, ends, strict=True)
            if word is not longest
        ]
        for row in islice(self._rows_with(b" %s" % longest, is_whole=is_ended), MAX_EXAMINED):
            name = self._text[self._starts[row] : self._starts[row + 1]] + b" "
            if all(word in name for word in others):
                yield int(self.places[row])

    def _places_with(self, pattern: bytes, *, is_whole: bool = False) -> Iterator[int]:
        return (int(self.places[row]) for row in self._rows_with(pattern, is_whole=is_whole))

    def _rows_with(self, pattern: bytes, *, is_whole: bool) -> Iterator[int]:
        found = self._text.find(pattern)
        while found >= 0:
            end = found + len(pattern)
            if is_whole and self._text[end] not in b" \n":
                found = self._text.find(pattern, end)
                continue
            row = bisect_right(self._starts, found) - 1
            yield row
            found = self._text.find(pattern, self._starts[row + 1])
