"""What is written in different ways is one."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.title_search.kana import kana_consonants, latin_consonants, romanise_kana, sound_likeness
from app.title_search.normalize import drop_article, normalize_names, normalize_text

SAME = [
    ("Étoile;GATE — 2×", "etoile gate 2 x"),
    ("進撃の巨人", "進撃の巨人"),
    ("Lupin III: Part IV", "lupin 3 part 4"),
    ("Haikyuu!! 2nd Season", "haikyu 2 season"),
    ("Haikyū!! Second Season", "haikyu 2 season"),
    ("Haikyuu S2", "haikyu 2 season"),
    ("Haikyuu!! Season 2", "haikyu 2 season"),
    ("Toukyou Ghoul", "tokyo ghol"),
    ("Kimi wo Aishita", "kimi o aishita"),
    ("Haikyuu Season", "haikyu season"),
    ("Overlord 2 S3", "overlord 2 3 season"),
    ("Spice & Wolf", "spice and wolf"),
    ("Kiki's Delivery", "kikis delivery"),
    ("Kiki’s Delivery", "kikis delivery"),
    ("Mob Psycho100", "mob psycho 100"),
    ("Mahou×Mahou", "maho x maho"),
    ("Ranma ½", "ranma 1 2"),
    ("ＡＢＣ", "abc"),
    ("K", "k"),
    ("Hunter x Hunter", "hunter x hunter"),
    ("A｜B", "a b"),
    ("Movie 01", "movie 1"),
    ("Movie 10", "movie 10"),
    ("07-Ghost", "07 ghost"),
    ("Gundam 00", "gundam 00"),
    ("Gundam 0079", "gundam 0079"),
    ("!?", ""),
]


@pytest.mark.parametrize(("written", "plain"), SAME)
def test_plain(written: str, plain: str) -> None:
    assert normalize_text(written) == plain


@settings(deadline=None)
@given(st.text(max_size=30))
@example("𝚨")
@example("sécond★third")
@example("2nd season")
@example("season 2 season 3 4")
def test_plain_is_plain(text: str) -> None:
    assert normalize_text(normalize_text(text)) == normalize_text(text)


@settings(deadline=None)
@given(st.lists(st.none() | st.text(max_size=12), min_size=1))
def test_many_are_read_as_each_alone(names: list[str | None]) -> None:
    assert normalize_names(names) == [normalize_text(name or "").encode() for name in names]


def test_syllables_of_kana_stay_apart() -> None:
    assert len({normalize_text(kana) for kana in "はばぱ"}) == 3


@pytest.mark.parametrize(
    ("name", "without"),
    [("the end", "end"), ("end of the world", "end of world"), ("the", "the"), ("theta", "theta")],
)
def test_articles(name: str, without: str) -> None:
    assert drop_article(name.encode()) == without.encode()


@pytest.mark.parametrize(
    ("kana", "latin"),
    [
        ("ワンピース", "one piece"),
        ("ナルト", "naruto"),
        ("なると", "naruto"),
        ("ドラゴンボール", "dragon bal"),
        ("ソードアート オンライン", "sword art online"),
        ("デスノート", "death note"),
        ("フェアリーテイル", "fairy tail"),
        ("ブリーチ", "bleach"),
        ("コードギアス", "code geas"),
        ("チェンソーマン", "chainsaw man"),
    ],
)
def test_kana_have_the_consonants_of_what_they_say(kana: str, latin: str) -> None:
    assert kana_consonants(kana) == latin_consonants([latin.encode()])[0][0]


@pytest.mark.parametrize(
    ("kana", "read"),
    [
        ("ドラえもん", "doraemon"),
        ("はがれん", "hagaren"),
        ("エヴァ", "eva"),
        ("シャーマンキング", "shamankingu"),
        ("ぼっち", "bocchi"),
        ("きゃりー", "kyari"),
        ("フェイト ティアラ", "feito tiara"),
        ("ウィッチ", "wicchi"),
        ("ジョジョ 5", "jojo 5"),
        ("ゃん", "yan"),
        ("もののけ姫", ""),
        ("kana", ""),
    ],
)
def test_kana_are_read_aloud(kana: str, read: str) -> None:
    assert romanise_kana(kana) == read


def test_vowels_tell_apart_what_has_the_same_consonants() -> None:
    names = [b"re zero kara", b"rei zero", b"ore no shura"]
    likeness = [sound_likeness(b"risero", b"rsr", [name]) for name in names]
    assert sound_likeness(b"risero", b"rsr", [b"naruto"]) == 0
    assert likeness[1] > likeness[0] > likeness[2]


@settings(deadline=None)
@given(st.text(max_size=12))
@example("ゃんっ")
def test_whatever_is_read_is_ascii(text: str) -> None:
    assert romanise_kana(text).isascii()


def test_only_kana_say_how_they_are_read() -> None:
    assert kana_consonants("進撃") == kana_consonants("ab") == b""
