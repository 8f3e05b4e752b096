"""Lists that users bring as files, of whichever site: read whole, placed in the catalogue.

A file is a stranger's. It is unpacked (`unpack`) and read (`reader`) within limits on bytes, rows
and nesting; nothing of it is logged or stored. What a row says is brought to one form (`entries`),
scores to one scale for the whole file (`scores`), and each row gets MyAnimeList's number by its
ids or its title (`placing`).
"""

from __future__ import annotations

from app.lists.files.placing import place_entries
from app.lists.files.reader import read_list_file
from app.lists.files.unpack import MAX_PACKED_BYTES, MAX_UNPACKED_BYTES

__all__ = ["MAX_PACKED_BYTES", "MAX_UNPACKED_BYTES", "place_entries", "read_list_file"]
