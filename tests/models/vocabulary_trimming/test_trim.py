"""Networks of every family: their texts give the same logits, and the folder loads without this package."""

import json
from dataclasses import replace

import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertTokenizer,
    RobertaConfig,
    RobertaForSequenceClassification,
    RobertaTokenizer,
    XLMRobertaTokenizer,
)

from lmdistill.core.batch import Inputs
from lmdistill.core.errors import ModelError
from lmdistill.export.hugging_face import save
from lmdistill.models.classifier import Network
from lmdistill.models.loading.classifier import load
from lmdistill.models.vocabulary_trimming import trim
from lmdistill.models.vocabulary_trimming.embeddings import reserved_ids, with_rows
from lmdistill.models.vocabulary_trimming.text_pieces import Texts
from lmdistill.models.vocabulary_trimming.trim import pieces_for, trim_to_pieces
from tests.models.families import FAMILIES, ROBERTA, family
from tests.models.piece_tokenizers import byte_bpe, unigram, word_piece
from tests.models.test_decoder_classifier import decoder
from tests.tiny import WORDS, tiny

TEXTS = Texts(["good film", "the plot is not bad , it is good", "never", "bad"])
DEV = Texts(["a good film", "bad plot", "slow", "never good"])


def trimmed(network, texts=TEXTS, size="texts", dev=None):
    return trim_to_pieces(network, pieces_for(network, texts, size), texts, dev or {}, max_length=32)


def logits(network, texts, tokenizer=None):
    """Logits of texts, one after the other."""
    rows = [(tokenizer or network.tokenizer)(text, return_tensors="pt") for text in texts]
    with torch.no_grad():
        inputs = [
            Inputs(ids=row["input_ids"], mask=row["attention_mask"], segments=row.get("token_type_ids"))
            for row in rows
        ]
        return torch.cat([network(one).logits for one in inputs])


def require_same(network, small, folder, texts=TEXTS):
    """Logits of both networks, of the saved one and of transformers alone are the same."""
    want = logits(network, texts.first)
    torch.testing.assert_close(logits(small, texts.first), want, rtol=0, atol=1e-6)
    save(small, folder)
    again = load(folder)
    torch.testing.assert_close(logits(again, texts.first), want, rtol=0, atol=1e-6)
    assert again.tokenizer.get_vocab() == small.tokenizer.get_vocab()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    assert model.config.vocab_size == len(tokenizer) == model.get_input_embeddings().num_embeddings
    for text, row in zip(texts.first, want, strict=True):
        with torch.no_grad():
            found = model(**tokenizer(text, return_tensors="pt")).logits[0]
        torch.testing.assert_close(found, row, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_texts_give_the_same_logits_in_every_family(name, tmp_path):
    network = family(name, layers=2)
    before = {key: value.clone() for key, value in network.model.state_dict().items()}
    small, facts = trimmed(network)
    assert len(facts.changed) == 0
    words = {word for text in TEXTS.first for word in text.split()} & set(WORDS)
    assert (facts.needed, facts.composing, facts.filled) == (5 + len(words), 1, 0)  # "a" composes others
    assert facts.pieces == facts.needed + 1
    assert facts.pieces_before == 5 + len(WORDS)
    width = network.model.get_input_embeddings().embedding_dim
    assert (facts.embedding_bytes_before, facts.embedding_bytes) == (4 * 50 * width, 4 * facts.pieces * width)
    assert facts.texts == facts.compared_logits == 4
    require_same(network, small, tmp_path / "small")
    assert all(torch.equal(before[key], value) for key, value in network.model.state_dict().items())


def test_a_decoder_still_finds_its_padding(tmp_path):
    stock = decoder("llama", layers=1).model
    stock.config.pad_token_id = 0
    network = Network(stock, word_piece(WORDS[::-1]), source="llama")
    small, _ = trimmed(network)
    require_same(network, small, tmp_path / "small")
    assert small.padding_of_a_decoder == small.tokenizer.pad_token_id == small.model.config.pad_token_id


def roberta(tokenizer, rows, pad):
    torch.manual_seed(0)
    settings = {**ROBERTA, "vocab_size": rows, "pad_token_id": pad, "bos_token_id": 0, "eos_token_id": 2}
    model = RobertaForSequenceClassification(RobertaConfig(num_hidden_layers=2, **settings))
    return Network(model.eval(), tokenizer, source="roberta")


def test_positions_are_still_counted_from_the_padding(tmp_path):
    """Its padding has the id 6, so the pieces before it stay though no text has them."""
    tokenizer = family("bert").tokenizer
    names = [*("slow", "dull", "bright", "fine", "meal", "was"), *tokenizer.all_special_tokens]
    rest = [word for word in WORDS if word not in names]
    vocabulary = {piece: n for n, piece in enumerate(dict.fromkeys(("slow", "dull", "bright", "fine", "meal",
        "was", "[PAD]", *names, *rest)))}  # fmt: skip
    network = roberta(BertTokenizer(vocab=vocabulary), 40, 6)
    small, _ = trimmed(network)
    assert small.tokenizer.pad_token_id == small.model.config.pad_token_id == 6
    assert set(range(7)) <= reserved_ids(network.model)
    require_same(network, small, tmp_path / "small")


STOCK = {
    "RobertaTokenizer": lambda: RobertaTokenizer(**_parts(byte_bpe([*TEXTS.first, *DEV.first] * 2))),
    "XLMRobertaTokenizer": lambda: XLMRobertaTokenizer(
        vocab=[("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *_scored()]
    ),
}


def _parts(tokenizer):
    """Vocabulary and merges as its class takes them."""
    model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    vocabulary = {piece: n for piece, n in model["vocab"].items() if not piece.startswith("[")}
    special = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
    ordered = [*special[:4], *vocabulary, special[4]]
    merges = [tuple(pair) for pair in model["merges"]]
    return {"vocab": {piece: n for n, piece in enumerate(ordered)}, "merges": merges}


def _scored():
    words = [(f"▁{word}", -1.0 - n / 8) for n, word in enumerate(WORDS)]
    letters = [(letter, -9.0) for letter in "▁abcdefghijklmnopqrstuvwxyz,日б"]
    return [*words, *letters]


@pytest.mark.parametrize("name", STOCK)
def test_tokenizers_of_transformers_keep_their_class(name, tmp_path):
    tokenizer = STOCK[name]()
    network = roberta(tokenizer, len(tokenizer) + 8, 1)
    small, facts = trimmed(network, dev={"dev": DEV})
    assert type(small.tokenizer) is type(tokenizer)
    assert facts.pieces < facts.pieces_before == len(tokenizer)
    assert small.tokenizer.pad_token_id == 1
    require_same(network, small, tmp_path / "small")
    assert {path.name for path in (tmp_path / "small").iterdir()} == {
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"
    }  # fmt: skip


def test_what_changes_in_other_texts_is_counted():
    small, facts = trimmed(tiny(), dev={"dev": DEV, "other": TEXTS})
    dev = facts.changed["dev"]  # "slow" is gone, "a" composes words; each text has [CLS] and [SEP]
    assert (dev.texts, dev.changed_texts, dev.pieces, dev.removed_pieces) == (4, 1, 16, 1)
    assert facts.changed["other"].changed_texts == facts.changed["other"].removed_pieces == 0
    assert small.tokenizer.tokenize("slow film") == ["[UNK]", "film"]


def test_pairs_and_padding_are_compared():
    pairs = Texts(["good film", "bad"], ["bad plot", "the film is good"])
    network = tiny()
    _small, facts = trimmed(network, pairs)
    assert facts.texts == 2
    assert facts.needed == 5 + 6


def test_a_whole_vocabulary_is_the_network_itself(caplog):
    network = tiny()
    with caplog.at_level("INFO", logger="lmdistill"):
        small, facts = trimmed(network, size=25)
    assert small is network
    assert facts.pieces == facts.pieces_before == 25
    assert facts.embedding_bytes == facts.embedding_bytes_before
    assert "tiny2 keeps its whole vocabulary of 25 word pieces" in caplog.text


def test_of_many_texts_the_logits_of_some_are_compared(monkeypatch):
    monkeypatch.setattr(trim, "COMPARED", 8)
    texts = Texts([" ".join(WORDS[: 1 + n % 12]) for n in range(40)])
    assert trimmed(tiny(), texts)[1].compared_logits == 8
    rows = trim._sampled([len(text) for text in texts.first])
    lengths = [len(texts.first[row]) for row in rows]
    assert len(set(rows)) == 8
    assert min(map(len, texts.first)) in lengths[:2]
    assert max(map(len, texts.first)) in lengths[-2:]


def test_rows_that_are_swapped_are_seen(monkeypatch):
    def swapped(model, kept, *, source):
        rows = list(kept)
        rows[-1], rows[-2] = rows[-2], rows[-1]
        return with_rows(model, rows, source=source)

    monkeypatch.setattr(trim, "with_rows", swapped)
    with pytest.raises(ModelError, match=r"^the logits of tiny2 differ by .*, and at most 1e-05 is allowed"):
        trimmed(tiny())


def test_other_pieces_are_seen():
    network = tiny()
    chosen = pieces_for(network, TEXTS, "texts")
    without = replace(
        chosen, kept=tuple(n for n in chosen.kept if n != network.tokenizer.get_vocab()["film"])
    )
    with pytest.raises(
        ModelError, match=r"^text 0 \(counted from 0\) has other word pieces with the trimmed"
    ):
        trim_to_pieces(network, without, TEXTS, {}, max_length=32)


def test_embeddings_that_are_no_table_are_refused():
    network = tiny()
    network.model.bert.embeddings.word_embeddings = torch.nn.Linear(3, 3)
    with pytest.raises(ModelError, match=r"^the word embeddings of tiny2 are a Linear and not one table"):
        with_rows(network.model, [0, 1], source="tiny2")


def test_ids_of_the_configuration_are_new_ones():
    network = family("modernbert", layers=1)
    network.model.config.mask_token_id = [4, 6]
    network.model.config.bos_token_id = 49  # a row without a token
    small, _ = trimmed(network, Texts(["never"]))
    config = small.model.config
    assert config.mask_token_id == [4, 5]
    assert config.bos_token_id is None
    assert (config.pad_token_id, config.cls_token_id, config.sep_token_id) == (0, 2, 3)
    assert small.model.get_input_embeddings().padding_idx == 0
    assert small.tokenizer.convert_ids_to_tokens(5) == WORDS[1]


def test_layers_that_share_the_table_get_the_same_rows():
    network = tiny()
    network.model.copy = torch.nn.Linear(16, 50, bias=False)
    network.model.copy.weight = network.model.get_input_embeddings().weight
    small = with_rows(network.model, [0, 3, 7], source="tiny2")
    assert small.copy.weight is small.get_input_embeddings().weight
    assert torch.equal(small.copy.weight, network.model.copy.weight[[0, 3, 7]])


def test_unigram_keeps_the_place_of_the_unknown_piece():
    tokenizer = unigram(_scored())
    small, _ = trimmed(roberta(tokenizer, len(tokenizer), 0))
    assert small.tokenizer.unk_token_id == 1
