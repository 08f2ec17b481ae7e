"""Encoding against the tokenizer itself."""

from pathlib import Path

import datasets
import pytest
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from lmdistill.core.errors import ConfigError, DataError
from lmdistill.data.batching.tokenizer_checks import tokenizer_fingerprint
from lmdistill.data.files.progress_bars import without_bars
from lmdistill.data.tasks.tokenization import encode, tokenize

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefgh"]


def _tokenizer(*, segments: bool = True, words: list[str] = WORDS) -> PreTrainedTokenizerFast:
    core = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    core.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = ["input_ids", "attention_mask", *(["token_type_ids"] if segments else [])]
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(
        tokenizer_object=core, model_max_length=64, model_input_names=names, **special
    )


def _rows(num_rows: int = 40) -> Dataset:
    texts = [" ".join("abcdefgh"[: 1 + i % 8] * (1 + i % 3)) for i in range(num_rows)]
    columns = {"sentence1": texts, "sentence2": [" ".join("hgf"[: i % 4]) for i in range(num_rows)]}
    return Dataset.from_dict(
        {**columns, "label": [i % 2 for i in range(num_rows)], "index": [i + 7 for i in range(num_rows)]}
    )


@pytest.mark.parametrize("pair", [False, True])
@pytest.mark.parametrize("max_length", [5, 9, 64])
def test_ids_are_those_of_the_tokenizer_and_every_cut_row_is_counted(pair: bool, max_length: int) -> None:
    rows, tokenizer = _rows(), _tokenizer()
    encoded = encode(rows, tokenizer, max_length=max_length, pair=pair)
    second = rows["sentence2"][:] if pair else None
    whole = tokenizer(rows["sentence1"][:], second)["input_ids"]
    theirs = tokenizer(rows["sentence1"][:], second, truncation="longest_first", max_length=max_length)
    assert encoded.rows["input_ids"][:] == theirs["input_ids"]
    assert encoded.rows["token_type_ids"][:] == theirs["token_type_ids"]
    assert encoded.rows["length"][:] == [min(len(ids), max_length) for ids in whole]
    assert encoded.truncated == sum(len(ids) > max_length for ids in whole) / len(whole)
    assert (encoded.rows["label"][:], encoded.rows["index"][:]) == (rows["label"][:], rows["index"][:])


@pytest.mark.parametrize("pair", [False, True])
def test_a_text_of_any_length_is_cut_before_it_is_tokenized(
    pair: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lmdistill.data.batching.tokenizer_checks.CHARACTERS_PER_TOKEN", 4)
    tokenizer, given = _tokenizer(), []
    first, second = ["a " * 1000, "b"], ["c d " * 1000, "e"] if pair else None
    whole = tokenizer(first, second, truncation="longest_first", max_length=9)
    call = PreTrainedTokenizerFast.__call__

    def recorded(self: object, *texts: list[str] | None, **options: object) -> object:
        given.extend(len(text) for part in texts if part for text in part)
        return call(self, *texts, **options)

    monkeypatch.setattr(PreTrainedTokenizerFast, "__call__", recorded)
    found = tokenize(tokenizer, first, second, max_length=9)
    assert found["input_ids"] == whole["input_ids"]
    assert found["cut"] == [True, False]
    assert max(given) == 36


def test_columns_are_those_that_the_tokenizer_knows() -> None:
    assert set(encode(_rows(), _tokenizer(), pair=False, max_length=64).rows.column_names) == {
        *("input_ids", "token_type_ids", "label", "length", "index"),
    }
    assert (
        "token_type_ids"
        not in encode(_rows(), _tokenizer(segments=False), pair=False, max_length=64).rows.column_names
    )


def test_rows_without_labels_are_encoded() -> None:
    rows = encode(_rows().remove_columns("label"), _tokenizer(), pair=True, max_length=64).rows
    assert "label" not in rows.column_names


def test_several_processes_give_the_same_rows(tmp_path: Path) -> None:
    one = encode(_rows(), _tokenizer(), pair=True, max_length=9)
    two = encode(_rows().select(range(40)), _tokenizer(), pair=True, max_length=9, processes=2)
    assert one.rows.to_list() == two.rows.to_list()
    assert one.truncated == two.truncated > 0


def test_a_second_encoding_comes_from_the_cache_and_a_changed_input_does_not(tmp_path: Path) -> None:
    _rows().save_to_disk(tmp_path / "rows")
    rows, tokenizer = datasets.load_from_disk(tmp_path / "rows"), _tokenizer()

    def file_of(**options: int) -> str:
        return str(
            encode(rows, tokenizer, pair=True, **{"max_length": 9, **options}).rows.cache_files[0]["filename"]
        )

    first = file_of()
    written = Path(first).stat().st_mtime_ns
    tokenizer(
        ["a b c"], truncation=True, max_length=4, padding="max_length"
    )  # leaves traces in the tokenizer
    assert file_of() == first
    assert Path(first).stat().st_mtime_ns == written
    assert file_of(max_length=10) != first


def test_the_fingerprint_of_a_tokenizer_follows_what_it_does() -> None:
    same = _tokenizer()
    before = tokenizer_fingerprint(same)
    same(["a"], truncation=True, max_length=5, padding=True)
    assert tokenizer_fingerprint(same) == before == tokenizer_fingerprint(_tokenizer())
    assert tokenizer_fingerprint(_tokenizer(words=[*WORDS, "i"])) != before
    assert tokenizer_fingerprint(_tokenizer(segments=False)) != before


def test_single_batches_can_be_tokenized_without_a_data_set() -> None:
    columns = tokenize(_tokenizer(), ["a b c d", "a"], None, max_length=4)
    assert columns == {
        "input_ids": [[2, 4, 5, 3], [2, 4, 3]],
        "token_type_ids": [[0] * 4, [0] * 3],
        "length": [4, 3],
        "cut": [True, False],
    }


def test_lengths_out_of_range_are_refused_with_both_values() -> None:
    with pytest.raises(
        ConfigError, match=r"max_length is 2; .* has 2 special tokens\. Set max_length to 3 or more"
    ):
        encode(_rows(), _tokenizer(), max_length=2, pair=False)
    with pytest.raises(ConfigError, match=r"max_length is 4; .* has 3 special tokens\. Set max_length to 5"):
        encode(_rows(), _tokenizer(), max_length=4, pair=True)
    with pytest.raises(ConfigError, match=r"max_length is 128 and the model reads at most 64 tokens"):
        encode(_rows(), _tokenizer(), pair=False)


def test_texts_without_a_token_are_refused_with_the_first_of_them() -> None:
    """Tokenizers of encoders always add special tokens; those of decoders may add none."""
    core = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    plain = PreTrainedTokenizerFast(tokenizer_object=core, model_max_length=64, pad_token="[PAD]")
    rows = Dataset.from_dict(
        {"sentence1": ["a b", "", "c", ""], "sentence2": [""] * 4, "index": [0, 1, 2, 3]}
    )
    with pytest.raises(DataError, match=r"2 of 4 texts have no tokens, such as row 1 \(counted from 0\)"):
        encode(rows, plain, max_length=10, pair=False)
    assert encode(rows.select([0, 2]), plain, max_length=10, pair=False).rows["length"][:] == [2, 1]


def test_bars_are_hidden_without_a_terminal_and_back_afterwards() -> None:
    before = datasets.are_progress_bars_disabled()
    with without_bars():
        assert datasets.are_progress_bars_disabled()
    assert datasets.are_progress_bars_disabled() == before
