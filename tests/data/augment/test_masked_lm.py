from pathlib import Path

import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

from lmdistill.core.errors import ConfigError, ModelError
from lmdistill.data.augment import Masked
from lmdistill.data.augment.masked_lm import COPIES
from tests.data.augment.conftest import WORDS

TEXTS = [
    "The movie is good, not bad.",
    "a great story",
    "Funny is the actor tree!",
    "is the",
    "",
    "walking the river",
]


@pytest.fixture
def masked(masked_folder: Path) -> Masked:
    return Masked(model=str(masked_folder), candidates=3, replace=1.0)


def test_every_content_word_is_replaced_in_its_case_and_all_else_stays(masked: Masked) -> None:
    results = masked(TEXTS)
    first, second = results[0].split(), results[2].split()
    assert (first[0], first[2], first[4]) == ("The", "is", "not")
    assert (first[3][-1], first[5][-1]) == (",", ".")
    assert {first[1], first[3][:-1], first[5][:-1]} <= {*WORDS, "walk"}
    assert second[0].istitle()
    assert second[0] != "Funny"
    assert results[3:5] == ["is the", ""]


def test_the_candidates_are_the_likeliest_words_that_the_model_puts_there(
    masked: Masked, masked_folder: Path
) -> None:
    # by hand: one forward pass for one masked word, best words first, the word itself left out
    tokenizer = AutoTokenizer.from_pretrained(masked_folder)
    model = AutoModelForMaskedLM.from_pretrained(masked_folder).eval()
    with torch.no_grad():
        logits = model(**tokenizer("a great [MASK]", return_tensors="pt")).logits[0, 3]
    ranked = [tokenizer.convert_ids_to_tokens(i) for i in logits.argsort(descending=True).tolist()]
    expected = [word for word in ranked if word in {*WORDS, "walk"} and word != "story"][:3]
    assert masked.choices(["a great story"])[0][5] == expected


def test_a_word_of_several_pieces_takes_the_neighbours_of_their_mean(
    masked: Masked, masked_folder: Path
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(masked_folder)
    table = AutoModelForMaskedLM.from_pretrained(masked_folder).get_input_embeddings().weight.detach()
    mean = table[tokenizer.convert_tokens_to_ids(["walk", "##ing"])].mean(0, keepdim=True)
    cosine = torch.cosine_similarity(table, mean)
    ranked = [tokenizer.convert_ids_to_tokens(i) for i in cosine.argsort(descending=True).tolist()]
    assert masked.choices(["walking"])[0][1] == [word for word in ranked if word in {*WORDS, "walk"}][:3]


def test_results_depend_on_text_copy_and_seed_and_not_on_batches_or_order(masked_folder: Path) -> None:
    one = Masked(model=str(masked_folder), candidates=5, batch_size=1)
    many = Masked(model=str(masked_folder), candidates=5, batch_size=64)
    copies = [0, 1, 2, 0, 1, 2]
    assert one(TEXTS, copies) == many(TEXTS, copies)
    assert many(TEXTS[::-1], copies[::-1]) == one(TEXTS, copies)[::-1]
    assert [many([text], [copy])[0] for text, copy in zip(TEXTS, copies, strict=True)] == one(TEXTS, copies)
    assert len(set(many(["a great story"] * 8, range(8)))) > 2
    assert Masked(model=str(masked_folder), candidates=5, seed=1)(TEXTS, copies) != one(TEXTS, copies)


def test_words_are_replaced_with_the_probability_asked_for(masked_folder: Path) -> None:
    texts = ["great " * 20] * 200
    results = Masked(model=str(masked_folder), replace=0.4)(texts, range(200))
    replaced = sum(word != "great" for text in results for word in text.split())
    assert replaced == pytest.approx(1600, abs=110)  # 3.5 standard deviations of sqrt(4000 * 0.4 * 0.6) = 31


def test_nothing_is_replaced_with_probability_zero(masked_folder: Path) -> None:
    assert Masked(model=str(masked_folder), replace=0.0)(TEXTS) == TEXTS


def test_words_beyond_the_longest_input_stay(masked: Masked) -> None:
    text = " ".join(["great"] * 50)
    (result,) = masked([text])
    assert result.split()[30:] == ["great"] * 20
    assert "great" not in result.split()[:30]


def test_the_copies_of_the_paper_are_a_table_by_task() -> None:
    assert COPIES["sst2"] == 20
    assert COPIES["cola"] == 30
    assert COPIES["mnli"] == 10


def test_the_identity_follows_the_contents_of_a_local_model(masked_folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in masked_folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    assert Masked(model=str(copy)).identity == Masked(model=str(masked_folder)).identity
    (copy / "config.json").write_text((copy / "config.json").read_text() + "\n")
    assert Masked(model=str(copy)).identity != Masked(model=str(masked_folder)).identity


def test_a_hub_id_without_network_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        ModelError, match=r"'nobody/nothing'.*hf download nobody/nothing --local-dir FOLDER"
    ) as caught:
        Masked(model="nobody/nothing")(["a good movie"])
    assert "\n" not in str(caught.value)


def test_pickled_weights_are_refused_unless_trusted(masked_folder: Path, tmp_path: Path) -> None:
    for file in masked_folder.iterdir():
        if file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    model = AutoModelForMaskedLM.from_pretrained(masked_folder)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match="only pickled weights; if you trust it, set allow_pickle to true"):
        Masked(model=str(tmp_path))(TEXTS)
    assert Masked(model=str(tmp_path), allow_pickle=True)(TEXTS) == Masked(model=str(masked_folder))(TEXTS)


def test_a_device_that_is_not_here_is_refused(masked_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="device is 'cuda', and torch sees no GPU here"):
        Masked(model=str(masked_folder), device="cuda")(TEXTS)
    with pytest.raises(ConfigError, match="got 'toaster'"):
        Masked(model=str(masked_folder), device="toaster")(TEXTS)
