"""Passages against the tokenizer itself: boundaries, ends, cuts, blocks; and real data."""

from itertools import chain
from pathlib import Path

import datasets
import pytest
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from lmdistill.core.errors import ConfigError, DataError
from lmdistill.data.batching.batch_sampler import evaluation_batches
from lmdistill.data.language.collator import LanguageCollator
from lmdistill.data.language.conversations import load_conversations
from lmdistill.data.language.special_tokens import bos_ids, eos_id, pad_id
from lmdistill.data.language.tokenization import encode_passages

SHARED = Path(__file__).parents[4] / "shared"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="../shared is not here")

pytestmark = pytest.mark.usefixtures("cache")  # else blocks of an older version are read again

BEGIN, END, PAD = 1, 2, 3
WORDS = ["<unk>", "<s>", "</s>", "<pad>", *"abcdefgh", "user", "assistant"]
TEMPLATE = (
    "<s>{% for m in messages %}{{ m.role }} {{ m.content }}</s> {% endfor %}"
    "{% if add_generation_prompt %}assistant {% endif %}"
)


def _tokenizer(
    *, begin: str = "<s>", end: str | None = "</s>", pad: str | None = "<pad>", chat: bool = False
):
    inner = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if begin:
        special = [(begin, WORDS.index(begin))]
        inner.post_processor = processors.TemplateProcessing(single=f"{begin} $A", special_tokens=special)
    names = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": end, "pad_token": pad}
    made = PreTrainedTokenizerFast(
        tokenizer_object=inner, model_max_length=64, **{k: v for k, v in names.items() if v}
    )
    made.chat_template = TEMPLATE if chat else None
    return made


def _rows(*pairs: tuple[str, str], messages: tuple[str, ...] = ()) -> Dataset:
    return Dataset.from_dict(
        {
            "prompt": [prompt for prompt, _ in pairs],
            "completion": [completion for _, completion in pairs],
            "question": [prompt for prompt, _ in pairs],
            "messages": list(messages) or [""] * len(pairs),
            "index": [n * 10 for n in range(len(pairs))],
        }
    )


def _ids(text: str) -> list[int]:
    return [WORDS.index(word) for word in text.split()]


def test_a_passage_is_begin_prompt_completion_end():
    found = encode_passages(_rows(("a b", "c d"), ("", "e")), _tokenizer(), max_length=8)
    assert found.rows.to_list() == [
        {"input_ids": _ids("<s> a b c d </s>"), "start": 3, "length": 6, "index": 0},
        {"input_ids": _ids("<s> e </s>"), "start": 1, "length": 3, "index": 10},
    ]
    assert (found.counts.total, found.counts.cut, found.counts.dropped) == (2, 0, 0)
    assert found.counts.notes(8) == ()
    assert found.lengths.tolist() == [6, 3]


def test_what_is_cut_loses_its_end_and_is_counted_and_long_prompts_are_dropped():
    rows = _rows(("a", "b c d"), ("a", "b c"), ("a b", "c d e"), ("a b c d", "e"), ("a b c d e", "f"))
    found = encode_passages(rows, _tokenizer(), max_length=5)
    ids = found.rows["input_ids"][:]
    assert ids == [_ids("<s> a b c d"), _ids("<s> a b c </s>"), _ids("<s> a b c d")]
    assert found.rows["index"][:] == [0, 10, 20]
    facts = found.counts
    assert (facts.total, facts.cut, facts.long_prompts, facts.unscored) == (5, 2, 2, 0)
    assert (facts.cut_share, facts.dropped_share) == (0.4, 0.4)
    assert facts.notes(5)[0] == "2 of 5 (40.0%) completions cut at 5 tokens"


def test_rows_that_cannot_be_learned_are_errors_when_none_is_left():
    with pytest.raises(DataError, match=r"no row is left .* prompt alone has 4 tokens or more"):
        encode_passages(_rows(("a b c", "d")), _tokenizer(), max_length=4)
    bare = _tokenizer(begin="")
    assert encode_passages(_rows(("", ""), ("", "a")), bare, max_length=4).counts.unscored == 1
    with pytest.raises(DataError, match="without a token to predict"):
        encode_passages(_rows(("", "")), bare, max_length=4)


def test_special_tokens_of_a_tokenizer():
    assert bos_ids(_tokenizer()) == [BEGIN]
    assert bos_ids(_tokenizer(begin="")) == []
    assert (eos_id(_tokenizer()), pad_id(_tokenizer())) == (END, PAD)
    assert pad_id(_tokenizer(pad=None)) == END
    with pytest.raises(DataError, match="no end token"):
        eos_id(_tokenizer(end=None))
    with pytest.raises(DataError, match="no end token"):
        encode_passages(_rows(("a", "b")), _tokenizer(end=None), max_length=8)


def test_lengths_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="max_length is 65"):
        encode_passages(_rows(("a", "b")), _tokenizer(), max_length=65)
    with pytest.raises(ConfigError, match="max_length is 2"):
        encode_passages(_rows(("a", "b")), _tokenizer(), max_length=2)


@pytest.mark.parametrize(
    ("begin", "end", "stream"),
    [
        ("<s>", "</s>", "<s> a b c </s> <s> d </s> <s> e f </s>"),
        ("<s>", "<s>", "<s> a b c <s> d <s> e f <s>"),
        ("", "</s>", "a b c </s> d </s> e f </s>"),
    ],
)
@pytest.mark.parametrize("size", [3, 4, 64])
def test_packed_blocks_predict_the_whole_stream_once(begin, end, stream, size):
    rows = _rows(("", "a b c"), ("", "d"), ("", "e f"))
    found = encode_passages(rows, _tokenizer(begin=begin, end=end), max_length=size, packing=True)
    ids = found.rows["input_ids"][:]
    assert [ids[0][0], *chain(*(block[1:] for block in ids))] == _ids(stream)
    assert all(len(block) == size for block in ids[:-1])
    assert found.rows["length"][:] == [len(block) for block in ids]
    assert set(found.rows["start"][:]) == {0}


def test_rows_with_prompts_are_not_packed():
    with pytest.raises(ConfigError, match="packing joins plain texts"):
        encode_passages(_rows(("", "a"), ("a", "b")), _tokenizer(), packing=True, max_length=8)


@pytest.mark.parametrize(
    ("prompt", "completion"),
    [("a b", "c d</s>"), ("<s> a b", "c d"), ("<s> a b", "c d </s>\n"), ("a b", "c d")],
)
def test_begin_and_end_tokens_that_are_written_out_are_not_added_again(prompt, completion):
    found = encode_passages(_rows((prompt, completion)), _tokenizer(), max_length=8)
    assert found.rows.to_list() == [
        {"input_ids": _ids("<s> a b c d </s>"), "start": 3, "length": 6, "index": 0}
    ]


@pytest.mark.parametrize(
    ("begin", "whole"), [("<s>", "<s> a b </s>"), ("", "a b </s>"), ("</s>", "</s> a b </s>")]
)
def test_neither_are_those_of_plain_texts_packed_or_not(begin, whole):
    plain, marked = _rows(("", "a b"), ("", "a b")), _rows(("", f"{begin} a b"), ("", f"{begin} a b </s>"))
    for packing in (False, True):
        first, second = (
            encode_passages(rows, _tokenizer(begin=begin), max_length=8, packing=packing).rows.to_list()
            for rows in (plain, marked)
        )
        assert first == second
        assert first[0]["input_ids"][: len(_ids(whole))] == _ids(whole)


def test_a_text_of_any_length_is_cut_before_it_is_tokenized(monkeypatch):
    monkeypatch.setattr("lmdistill.data.batching.tokenizer_checks.CHARACTERS_PER_TOKEN", 4)
    found = encode_passages(_rows(("a", "b " * 5_000_000)), _tokenizer(), max_length=8)
    assert found.rows["input_ids"][:] == [_ids("<s> a b b b b b b")]
    assert found.counts.cut == 1


def test_a_row_that_a_template_rejects_is_named(tmp_path):
    tokenizer = _tokenizer(chat=True)
    tokenizer.chat_template = (
        "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
        + TEMPLATE
    )
    system = '[{"role": "system", "content": "a"}, {"role": "user", "content": "b"}, {"role": "assistant", "content": "c"}]'
    rows = _rows(("", "c"), ("", "c"), messages=(CHAT, system))
    with pytest.raises(
        DataError, match=r"row 11: the chat template rejects .*System role not supported.*Correct"
    ):
        encode_passages(rows, tokenizer, max_length=16)


def test_tools_that_a_template_does_not_write_are_warned_of(caplog):
    with_tools = '{"messages": ' + CHAT + ', "tools": [{"type": "function"}]}'
    rows = _rows(("", "c d"), ("", "c d"), messages=(CHAT, with_tools))
    encode_passages(rows, _tokenizer(chat=True), max_length=16)
    assert "1 of 2 chats have tools, and the chat template does not write tools" in caplog.text
    caplog.clear()
    tokenizer = _tokenizer(chat=True)
    tokenizer.chat_template = "{% if tools %}{% endif %}" + TEMPLATE
    encode_passages(rows, tokenizer, max_length=16)
    assert caplog.text == ""


CHAT = '[{"role": "user", "content": "a b"}, {"role": "assistant", "content": "c d"}]'


def test_chats_have_the_tokens_of_their_template_and_one_end():
    found = encode_passages(_rows(("", "c d"), messages=(CHAT,)), _tokenizer(chat=True), max_length=16)
    (row,) = found.rows
    assert row["input_ids"] == _ids("<s> user a b </s> assistant c d </s>")
    assert row["input_ids"][row["start"] :] == _ids("c d </s>")
    with pytest.raises(DataError, match="no chat template"):
        encode_passages(_rows(("", "c d"), messages=(CHAT,)), _tokenizer(), max_length=16)


def test_a_second_encoding_comes_from_the_cache_and_changes_do_not(tmp_path):
    _rows(("", "a b c"), ("", "d")).save_to_disk(tmp_path / "rows")
    rows = datasets.load_from_disk(tmp_path / "rows")

    def file_of(tokenizer=None, **options) -> str:
        found = encode_passages(rows, tokenizer or _tokenizer(), **{"max_length": 8, **options})
        return str(found.rows.cache_files[0]["filename"])

    first = file_of()
    written = Path(first).stat().st_mtime_ns
    assert file_of() == first
    assert Path(first).stat().st_mtime_ns == written
    others = [file_of(max_length=9), file_of(packing=True), file_of(_tokenizer(end="<s>"))]
    assert len({first, *others}) == 4


@needs_shared
def test_real_stories_with_a_real_tokenizer_begin_and_end_with_the_same_token():
    tokenizer = AutoTokenizer.from_pretrained(SHARED / "models" / "stories260k")
    texts = load_conversations(SHARED / "data" / "text" / "tinystories_sample_2MiB.txt.gz", dev=2000)
    assert texts.layout == "text"
    assert any("dropped as truncated" in note for note in texts.notes)
    found = encode_passages(texts.train, tokenizer, max_length=512)
    for text, ids, start in zip(
        texts.train["completion"], found.rows["input_ids"], found.rows["start"], strict=True
    ):
        assert (ids[0], start) == (1, 1)
        whole = [*tokenizer(text)["input_ids"], 1]
        assert ids == whole[:512]
    assert found.counts.cut == sum(
        length == 512 and ids[-1] != 1
        for length, ids in zip(found.lengths, found.rows["input_ids"], strict=True)
    )
    packed = encode_passages(texts.train, tokenizer, max_length=256, packing=True)
    joined = [1, *chain(*(ids[1:] for ids in packed.rows["input_ids"]))]
    assert joined == [
        1,
        *(t for text in texts.train["completion"] for t in [*tokenizer(text)["input_ids"][1:], 1]),
    ]


@needs_shared
@pytest.mark.parametrize(("name", "empty"), [("dolly_3k.json.gz", 0), ("alpaca_5000.json.gz", 2)])
def test_real_instructions_are_scored_from_their_first_response_token(name, empty):
    tokenizer = AutoTokenizer.from_pretrained(SHARED / "models" / "gpt2-tokenizer", eos_token="<|endoftext|>")
    data = load_conversations(SHARED / "data" / "instruct" / name, dev=200)
    assert any(f"dropped {empty} of" in note for note in data.notes) == (empty > 0)
    found = encode_passages(data.dev, tokenizer, max_length=256)
    assert found.rows.num_rows == 200 - found.counts.dropped
    texts = {row["index"]: row for row in data.dev}
    collator = LanguageCollator(rows=found.rows, padding=pad_id(tokenizer))
    for (draw,) in evaluation_batches(found.lengths, batch_size=16):
        batch = collator[draw]
        for number, labels, scored in zip(batch.examples.tolist(), batch.labels, batch.scored, strict=True):
            row = found.rows[number]
            text, response = texts[row["index"]], labels[scored].tolist()
            assert tokenizer.decode(row["input_ids"][: row["start"]]) == text["prompt"]
            assert text["prompt"].endswith("\n\nAssistant:\n")
            if row["length"] < 256:
                assert response[-1] == tokenizer.eos_token_id
                assert tokenizer.decode(response[:-1]) == text["completion"]
