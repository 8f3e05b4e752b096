"""What is of one family: `app.web.services.families`."""

from __future__ import annotations

import numpy as np
import pytest

from app.catalogue import Catalogue
from app.web.services.families import find_families

WORLD = [
    ("Cells at Work", 1, None, 100),
    ("Cells at Work! 2", 1, 1, 50),
    ("Cells at Work: Black", 2, None, 20),
    ("Black Cells", 3, 3, 10),
    ("Cells at Work no Uta", None, None, 5),
    ("Cells at", None, None, 4),
    ("Cells", None, None, 90),
    ("Gin", None, None, 80),
    ("School of Gin", None, 8, 3),
    ("Gin Tama", None, None, 2),
    ("Frontier Land", None, None, 1),
    ("Frontier Land Hunters", None, None, 70),
    ("Gone", None, 999, 60),
]
"""Title, series, the number of what it is related to, lists; numbers begin with 1."""


@pytest.mark.parametrize(
    ("one", "others"),
    [(1, {2, 3, 4}), (5, set()), (6, set()), (7, set()), (8, {9}), (10, set()), (11, set())],
)
def test_a_series_its_relations_and_what_is_called_after_it(one: int, others: set[int]) -> None:
    titles, groups, related, lists = zip(*WORLD, strict=True)
    ids = list(range(1, len(WORLD) + 1))
    catalogue = Catalogue(
        {"anime_id": ids, "title": titles, "franchise_id": groups, "relation_id": related}
    )
    family = find_families(catalogue, ids, np.array(lists, np.int32))
    assert {at for at in ids if family[at - 1] == family[one - 1]} == {one, *others}
