"""Parts of pages that are the same for all lists: rendered once, and kept while the model is."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable


class KeptFragments:
    """The ``count`` fragments that were asked for last, for all threads.

    A fragment must depend on nothing but its key and the model.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._kept: OrderedDict[Hashable, str] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def get_or_render(self, key: Hashable, caller: Callable[[], str]) -> str:
        """Return what is kept under a key; else what ``caller`` renders, and keep that.

        In a template: ``{% call fragments.get_or_render(key) %}...{% endcall %}``.
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        rendered = caller()
        with self._lock:
            self._kept[key] = rendered
            while len(self._kept) > self._count:
                self._kept.popitem(last=False)
        return rendered
