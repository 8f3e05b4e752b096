"""What an engine's vectors say is alike: anime to an anime, or fans to a list.

With --anime or --title the anime whose vectors are nearest, or, by `similarity` and `affinity`,
those that are scored alike and those that its fans pick; with --list the fans whose are (of a model
whose engine was fitted --with-fans or --with-centres), their genres and sources, and what they
loved that is not on the list. Example:

    python -m model_build similar --model model-mf --engine mf --anime 5114 --type movie
"""

from __future__ import annotations

from model_build.interface.config import SimilarConfig

CONFIG = SimilarConfig


def run(config: SimilarConfig) -> None:
    """Print what is alike, in words or as JSON."""
    from model_build.interface.filters import format_anime
    from model_build.interface.job import find_similar_anime, find_similar_users, similar_json

    if config.as_json:
        print(similar_json(config))
        return
    if config.list_file is None:
        alike, catalogue = find_similar_anime(config)
        print(f"like {catalogue.title(alike.anime_id)}, by {config.engine}:")
        for each in alike.similar:
            print(f"{each.rank:>3}  {each.likeness:.3f}  {format_anime(each)}")
        return
    answer, n_users = find_similar_users(config)
    print(f"the {answer.nearest} fans most like this list, of {n_users:,}")
    for name, preferences in (("genres", answer.genres), ("sources", answer.sources)):
        shares = [f"{each.name} {each.share:.0%} ({each.usual:.0%})" for each in preferences]
        print(f"{name:<8} " + (", ".join(shares) or "the catalogue has none"))
    for row in answer.recommendations:
        preference = f"  x{row.preference:.2f}" if config.prefer else ""
        print(f"{row.rank:>3}  loved by {row.lovers:>2}{preference}  {format_anime(row)}")
