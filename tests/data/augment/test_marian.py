import json
from pathlib import Path

import pytest
import torch
from transformers import MarianConfig, MarianMTModel, MarianTokenizer

from lmdistill.core.errors import ModelError
from lmdistill.data.augment import Marian
from lmdistill.data.augment.marian import SamplingProcessor

spm = pytest.importorskip("sentencepiece", reason="sentencepiece is not installed")

TEXTS = ["a good movie", "", "the river was slow and the house was old, so we left", "we left", "good"]


def write_translator(folder: Path, seed: int) -> Path:
    """A random translation model with a tokenizer trained on made-up sentences."""
    folder.mkdir()
    lines = [
        f"the {a} {b} was {c} , and we left ."
        for a in ("old", "good")
        for b in ("house", "river", "movie")
        for c in ("slow", "new")
    ]
    (folder / "lines.txt").write_text("\n".join(lines))
    spm.SentencePieceTrainer.train(
        input=str(folder / "lines.txt"), model_prefix=str(folder / "source"), vocab_size=40, minloglevel=2,
        hard_vocab_limit=False,
    )  # fmt: skip
    (folder / "source.model").rename(folder / "source.spm")
    (folder / "target.spm").write_bytes((folder / "source.spm").read_bytes())
    model = spm.SentencePieceProcessor(model_file=str(folder / "source.spm"))
    pieces = [
        "</s>",
        "<unk>",
        *(p for i in range(len(model)) if (p := model.id_to_piece(i))[0] != "<"),
        "<pad>",
    ]
    (folder / "vocab.json").write_text(json.dumps({piece: i for i, piece in enumerate(pieces)}))
    files = (str(folder / name) for name in ("source.spm", "target.spm", "vocab.json"))
    MarianTokenizer(*files, source_lang="en", target_lang="de").save_pretrained(folder)
    last = len(pieces) - 1
    config = MarianConfig(
        vocab_size=len(pieces), d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, max_position_embeddings=12,
        dropout=0.0, init_std=0.5, pad_token_id=last, decoder_start_token_id=last, eos_token_id=0,
        forced_eos_token_id=0,
    )  # fmt: skip
    torch.manual_seed(seed)
    MarianMTModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    root = tmp_path_factory.mktemp("marian")
    return {way: str(write_translator(root / way, seed)) for seed, way in enumerate(("there", "back"))}


def test_every_text_gives_one_text_and_blank_ones_stay_blank(folders: dict[str, str]) -> None:
    results = Marian(**folders, beams=2)(TEXTS)
    assert [not text for text in results] == [not text for text in TEXTS]
    assert results != TEXTS


def test_beam_search_is_two_plain_calls_of_generate(folders: dict[str, str]) -> None:
    text = TEXTS[2]
    for way in ("there", "back"):
        tokenizer = MarianTokenizer.from_pretrained(folders[way])
        model = MarianMTModel.from_pretrained(folders[way]).eval()
        written = model.generate(
            **tokenizer(text, return_tensors="pt", truncation=True, max_length=12), num_beams=3, max_length=12
        )
        text = tokenizer.decode(written[0], skip_special_tokens=True)
    assert Marian(**folders, beams=3)([TEXTS[2]]) == [text]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_results_do_not_depend_on_batches_or_order(folders: dict[str, str], temperature: float) -> None:
    one = Marian(**folders, temperature=temperature, batch_size=1)
    many = Marian(**folders, temperature=temperature, batch_size=8)
    assert one(TEXTS) == many(TEXTS)
    assert many(TEXTS[::-1]) == one(TEXTS)[::-1]


def test_sampled_copies_differ_and_repeat_with_their_seed(folders: dict[str, str]) -> None:
    marian = Marian(**folders, temperature=1.0)
    assert marian.varied
    assert not Marian(**folders).varied
    copies = marian(["we left"] * 6, range(6))
    assert len(set(copies)) > 3
    assert Marian(**folders, temperature=1.0)(["we left"], [4]) == [copies[4]]
    assert Marian(**folders, temperature=1.0, seed=1)(["we left"] * 6, range(6)) != copies


def test_sampling_picks_each_token_as_often_as_its_tempered_probability() -> None:
    scores = torch.tensor([[2.0, 0.0, -torch.inf, 1.0]]).expand(4000, 4)
    uniform = (torch.arange(4000, dtype=torch.float64)[:, None] + 0.5) / 4000
    forced = SamplingProcessor(uniform=uniform, temperature=2.0)(
        torch.zeros(4000, 1, dtype=torch.long), scores
    )
    share = forced.isfinite().double().mean(0)
    # softmax of (1, 0, -inf, 1/2)
    expected = torch.tensor([1.0, 0.0, -torch.inf, 0.5], dtype=torch.float64).softmax(0)
    torch.testing.assert_close(share, expected, atol=1 / 4000, rtol=0)
    assert forced.isfinite().sum(-1).eq(1).all()


def test_sampling_uses_a_new_number_at_each_step() -> None:
    sampling = SamplingProcessor(uniform=torch.tensor([[0.1, 0.9]], dtype=torch.float64), temperature=1.0)
    even = torch.zeros(1, 2)
    assert sampling(torch.zeros(1, 1, dtype=torch.long), even).argmax() == 0
    assert sampling(torch.zeros(1, 2, dtype=torch.long), even).argmax() == 1


def test_a_hub_id_without_network_says_what_to_do(
    folders: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        ModelError, match=r"'nobody/en-de'.*hf download nobody/en-de --local-dir FOLDER"
    ) as caught:
        Marian(there="nobody/en-de", back=folders["back"])(["a"])
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_tokenizer_says_so(folders: dict[str, str], tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((Path(folders["back"]) / name).read_bytes())
    with pytest.raises(ModelError, match="holds no usable tokenizer") as caught:
        Marian(there=folders["there"], back=str(tmp_path))(["a"])
    assert "\n" not in str(caught.value)
