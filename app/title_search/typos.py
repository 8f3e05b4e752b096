"""Names that are alike, typos forgiven: found by the trigrams they share, compared by letters."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from rapidfuzz import fuzz

from app.recommender.array_types import Int32Array, Int64Array, UInt8Array, UInt16Array
from app.title_search.names import NameTable

MIN_SHARED = 0.2
"""Of the trigrams of a search, in a name that is compared."""
MAX_COMPARED = 100
_CODES = 1 << 16
_LINE_FEED, _BLANK = b"\n "
# What a trigram that only the name has counts against it.
_SURPLUS_WEIGHT = 0.3


class TrigramIndex:
    """The trigrams of names; blanks are no letters, so words may be joined or parted wrongly.

    ``rows`` are the names with each trigram, by its code, of which ``count`` are of each code.
    """

    def __init__(self, names: NameTable, rows: Int32Array, count: Int64Array) -> None:
        self._names = names
        self._rows = rows
        self._first = np.concatenate(([0], np.cumsum(count)))
        self._sizes = np.bincount(rows, minlength=len(names))

    @staticmethod
    def count_trigrams(names: NameTable) -> tuple[Int32Array, Int64Array]:
        """Return the ``rows`` (trigrams,) and ``count`` (codes,) of an index of these names."""
        codes, rows = _trigrams(names.text())
        # Numpy sorts 16 bits by radix, in a tenth of the time.
        return rows[np.argsort(codes, kind="stable")], np.bincount(codes, minlength=_CODES)

    def alike(self, name: bytes, minimum: float) -> Iterator[tuple[int, float]]:
        """Yield anime and how alike one of their names is, of 100, where that is enough."""
        words, letters = name.decode(), name.replace(b" ", b"").decode()
        for row in self._most_shared(name).tolist():
            theirs = self._names.name(row).decode()
            # What is far shorter is alike to some part of anything.
            if 2 * len(theirs) >= len(words):
                similarity = max(
                    fuzz.WRatio(words, theirs), fuzz.ratio(letters, theirs.replace(" ", ""))
                )
                if similarity >= minimum:
                    yield int(self._names.places[row]), similarity

    def _most_shared(self, name: bytes) -> Int64Array:
        """Return the names with most trigrams of a search, as far as they are worth comparing."""
        codes = set(_trigrams(np.frombuffer(b"\n %s\n" % name, np.uint8))[0].tolist())
        found = [self._rows[self._first[code] : self._first[code + 1]] for code in codes]
        if not found:
            return np.zeros(0, np.int64)
        shared = np.bincount(np.concatenate(found), minlength=len(self._names))
        rows = np.flatnonzero(shared > MIN_SHARED * len(codes))
        surplus = np.maximum(self._sizes[rows] - len(codes), 0)
        likeness = shared[rows] / (len(codes) + _SURPLUS_WEIGHT * surplus)
        return rows[np.argsort(-likeness, kind="stable")[:MAX_COMPARED]]


def _trigrams(text: UInt8Array) -> tuple[UInt16Array, Int32Array]:
    """Return a code of each trigram within a name, and the row of that name, (n_trigrams,) each.

    The line feed before a name counts as a letter of it, so that beginnings weigh more.
    """
    letters = text[text != _BLANK]
    row = np.cumsum(letters == _LINE_FEED, dtype=np.int32) - 1
    inside = (letters[1:-1] != _LINE_FEED) & (letters[2:] != _LINE_FEED)
    first, second, third = (letters[at : len(letters) - 2 + at][inside] for at in range(3))
    # The factors spread letters and digits over 16 bits.
    codes = first.astype(np.uint16) * 2531 + second.astype(np.uint16) * 137 + third
    return codes, row[2:][inside]
