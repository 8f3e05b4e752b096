"""What was read, kept and dropped, as a table for people; ``prepared.json`` has the numbers."""

from __future__ import annotations

from model_build.data.dumps.prepared import CleaningCount, PreparedDataset


def render_report(prepared: PreparedDataset, published: int | None) -> str:
    """The text of ``report.txt``."""
    (source,) = prepared.sources
    lines = [f"{prepared.dataset}: {source.file}, {source.rows:,} rows"]
    if published is not None and source.rows != published:
        lines.append(f"  (the file published on Kaggle has {published:,})")
    counts = prepared.counts
    lines += [
        "",
        f"kept: {counts['entries']:,} entries of {counts['fans']:,} fans "
        f"and {counts['anime']:,} anime, {counts['ratings']:,} of them scored",
        "",
        *_text_table("dropped", prepared.dropped),
    ]
    if prepared.mended:
        lines += ["", *_text_table("mended", prepared.mended)]
    return "\n".join([*lines, ""])


def _text_table(title: str, losses: list[CleaningCount]) -> list[str]:
    rows = [(loss.why, f"{loss.entries:,}", f"{loss.fans:,}") for loss in losses]
    rows = [(title, "entries", "fans"), *(rows or [("nothing", "0", "0")])]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [
        f"{why:<{widths[0]}}  {entries:>{widths[1]}}  {fans:>{widths[2]}}"
        for why, entries, fans in rows
    ]
