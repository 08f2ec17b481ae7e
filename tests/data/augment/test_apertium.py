import logging
import shutil
from pathlib import Path

import pytest

from lmdistill.core.errors import MissingExtraError
from lmdistill.data.augment import Apertium, apertium

needs_apertium = pytest.mark.skipif(
    shutil.which("apertium") is None or not {"eng-spa", "spa-eng"} <= set(apertium.installed_pairs()),
    reason="the program apertium, or its pair eng-spa, is not here",
)

STRANGE = [
    "the red",
    "car\n\nis\n\n\nfast",
    "",
    "  ",
    "a [b] {c} ^d$ e/f g\\h @i #j ~k <l> *m +n",
    "zero\0byte\x1b[0m and \udcff half a surrogate",
    "\u2028line\u2029ends\x85here\ffeed",
    "^good<adj>$ [][\n\n.[]",
    "☃ 😀 ﷽ 中文",
    "I",
    "the cat's",
    "hat.",
]


@needs_apertium
def test_two_sentences_come_back_with_their_meaning() -> None:
    results = Apertium()(["The house is very big.", "i like this book ."])
    assert results == ["The house is very big.", "i like this book ."]
    assert apertium.translate("eng-spa", ["The house is very big."]) == ["La casa es muy grande."]


@needs_apertium
def test_texts_stay_aligned_whatever_is_in_them() -> None:
    together = apertium.translate("eng-spa", STRANGE)
    alone = [apertium.translate("eng-spa", [text])[0] for text in STRANGE]
    assert together == alone
    assert [not text for text in together] == [not text.strip() for text in STRANGE]
    assert not any(ord(letter) < 32 for text in together for letter in text)


@needs_apertium
def test_a_batch_is_one_process_a_direction(monkeypatch: pytest.MonkeyPatch) -> None:
    run, calls = apertium._run, []
    monkeypatch.setattr(apertium, "_run", lambda text, pair: calls.append(pair) or run(text, pair))
    apertium.translate("eng-spa", ["the red", "car", "a [b] {c}", "is fast", "", "I like it."])
    assert calls == ["eng-spa"]


@needs_apertium
def test_a_batch_that_comes_back_misaligned_is_halved_until_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    run = apertium._run

    def merging(text: str, pair: str):  # type: ignore[no-untyped-def]
        """As if Apertium lost the empty line behind "car"."""
        done = run(text, pair)
        done.stdout = done.stdout.replace(b"coche\n\n", b"coche ")
        return done

    monkeypatch.setattr(apertium, "_run", merging)
    texts = ["a house", "a car", "a dog", "a tree", "a book"]
    assert apertium.translate("eng-spa", texts) == [
        "Una casa",
        "Un coche",
        "Un perro",
        "Un árbol",
        "Un libro",
    ]


@needs_apertium
def test_workers_change_nothing_and_batches_keep_the_order() -> None:
    texts = [f"this is the number {i} ." for i in range(10)]
    results = Apertium(batch_size=4, workers=3)(texts)
    assert results == Apertium(batch_size=4)(texts)
    assert [str(i) in text for i, text in enumerate(results)] == [True] * 10


@needs_apertium
def test_unknown_words_are_not_marked_and_lower_case_stays() -> None:
    (result,) = Apertium()(["the frobnicator sleeps"])
    assert result.startswith("the frobnicator")


@needs_apertium
def test_a_pair_that_is_not_installed_is_named_with_those_that_are() -> None:
    with pytest.raises(
        MissingExtraError, match=r"no language pair 'eng-tlh', only .*eng-spa.*apertium-eng-tlh"
    ):
        Apertium(there="eng-tlh")(["yes"])


def test_without_the_program_the_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        MissingExtraError, match=r"apertium is not installed\. Run: apt-get install apertium apertium-eng-spa"
    ):
        Apertium()(["yes"])


def test_a_program_that_fails_says_its_last_words_and_one_that_chokes_on_a_text_drops_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    program = tmp_path / "apertium"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    program.write_text(
        '#!/bin/sh\nif [ "$1" = -l ]; then echo eng-spa; echo spa-eng; else echo no locale >&2; exit 1; fi\n'
    )
    program.chmod(0o755)
    with pytest.raises(MissingExtraError, match="apertium eng-spa fails: no locale"):
        Apertium()(["yes"])
    program.write_text(
        '#!/bin/sh\ninput=$(cat; echo x)\ncase "$input" in *bad*) exit 3;; esac\nprintf %s "${input%x}"\n'
    )
    with caplog.at_level(logging.WARNING, logger="lmdistill"):
        assert apertium.translate("eng-spa", ["one", "bad", "three"]) == ["one", "", "three"]
    assert "cannot translate 'bad' (exit code 3)" in caplog.text
