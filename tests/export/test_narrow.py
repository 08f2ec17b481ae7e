"""Narrow networks as folders: stock ones where that is possible, with a modelling file otherwise."""

import json
import os
import subprocess
import sys

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from lmdistill.core.errors import ModelError
from lmdistill.evaluation.efficiency import latency
from lmdistill.export.hugging_face import save
from lmdistill.models.classifier import Network
from lmdistill.models.generation import generate_completions
from lmdistill.models.loading.causal_lm import is_causal, load_causal
from lmdistill.models.loading.classifier import has_head, load
from lmdistill.models.model_stats import count_parameters, fingerprint, flops
from lmdistill.models.modeling_narrow import PREFIX
from lmdistill.models.pruning.families import Widths, widths_of
from lmdistill.models.pruning.slicing import densify, view
from lmdistill.models.students.truncate import truncate
from tests.models.narrow import (
    ENCODERS,
    FREE,
    HEADS,
    LAYERS,
    NAMES,
    SHAPES,
    VANISHED,
    batch_for,
    outputs,
    wide,
)
from tests.tiny import make_batch

OWN = ("enc-t5",)  # carried, whatever its widths


def reloaded(name, folder):
    return load(folder) if name in ENCODERS else load_causal(folder)


def config_of(folder):
    return json.loads((folder / "config.json").read_text())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_a_narrow_network_comes_back_without_remote_code(name, shape, tmp_path):
    small = densify(wide(name), SHAPES[shape][name])
    batch, before = batch_for(small), fingerprint(small)
    save(small, tmp_path / "small")
    again = reloaded(name, tmp_path / "small")
    torch.testing.assert_close(outputs(again, batch), outputs(small, batch), rtol=1e-6, atol=1e-6)
    assert type(again.model) is type(small.model)
    assert widths_of(again) == SHAPES[shape][name]
    assert fingerprint(again) == fingerprint(small) == before
    assert count_parameters(again) == count_parameters(small)
    assert flops(again, 8) == flops(small, 8)
    if name in ENCODERS:
        assert latency(again, batch.inputs, runs=1, warmup=0).p50_ms > 0
    assert config_of(tmp_path / "small")["model_type"] == ("" if name in OWN else PREFIX) + name
    assert not list((tmp_path / "small").glob("*.bin"))
    fewer = truncate(again, layers=(1, 2))
    save(fewer, tmp_path / "fewer")
    torch.testing.assert_close(outputs(reloaded(name, tmp_path / "fewer"), batch), outputs(fewer, batch))


FOREIGN = """
import json, sys
import torch, transformers
found = []
for folder, auto, given in json.load(open(sys.argv[1])):
    model = getattr(transformers, auto).from_pretrained(folder, trust_remote_code=True).eval()
    transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=True)
    batch = {name: torch.tensor(values) for name, values in given.items()}
    found.append(model(**batch).logits.tolist())
json.dump(found, open(sys.argv[1] + ".found", "w"))
assert not any(name.startswith("lmdistill") for name in sys.modules)
"""


def test_a_process_that_knows_only_transformers_gives_the_same_logits(tmp_path):
    jobs, expected = [], []
    networks = {name: densify(wide(name), VANISHED[name]) for name in NAMES}
    networks |= {f"whole {name}": wide(name) for name in OWN}
    for name, small in networks.items():
        inputs = batch_for(small).inputs
        given = {"input_ids": inputs.ids, "attention_mask": inputs.mask}
        if getattr(small, "takes_segments", False):
            given["token_type_ids"] = inputs.segments
        kind = "SequenceClassification" if isinstance(small, Network) else "CausalLM"
        save(small, tmp_path / name)
        lists = {key: value.tolist() for key, value in given.items()}
        jobs.append((str(tmp_path / name), f"AutoModelFor{kind}", lists))
        expected.append(small.model(**given).logits)
    (tmp_path / "jobs.json").write_text(json.dumps(jobs))
    call = [sys.executable, "-c", FOREIGN, str(tmp_path / "jobs.json")]
    alone = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    env = alone | {"HF_MODULES_CACHE": str(tmp_path / "modules")}
    done = subprocess.run(
        call, capture_output=True, text=True, cwd=tmp_path, env=env, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr
    assert "Do you wish" not in done.stdout  # nobody is there to answer
    found = json.loads((tmp_path / "jobs.json.found").read_text())
    for theirs, ours in zip(found, expected, strict=True):
        torch.testing.assert_close(torch.tensor(theirs), ours, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in OWN])
def test_equally_wide_layers_are_a_stock_model_where_its_class_allows(name, tmp_path):
    network = wide(name)
    heads = 1 if name in FREE else HEADS[name]
    widths = Widths(heads=(heads,) * LAYERS, neurons=(12,) * LAYERS)
    small, batch = densify(network, widths), batch_for(network)
    save(small, tmp_path / "small")
    assert type(small.model) is type(network.model)
    assert config_of(tmp_path / "small")["model_type"] == name
    assert not (tmp_path / "small" / "modeling_narrow.py").exists()
    again = reloaded(name, tmp_path / "small")
    torch.testing.assert_close(outputs(again, batch), outputs(small, batch), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(outputs(small, batch), outputs(view(network, widths), batch))
    assert widths_of(again) == widths
    part = densify(again, Widths(heads=(0, 1, 1), neurons=(12, 5, 0)))
    save(part, tmp_path / "part")
    torch.testing.assert_close(outputs(reloaded(name, tmp_path / "part"), batch), outputs(part, batch))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ENCODERS])
def test_what_was_loaded_is_pruned_and_loaded_again(name, tmp_path):
    """Stock classes may rename weights while they are loaded and saved, as GPT-NeoX's do."""
    save(wide(name), tmp_path / "whole")
    whole = load_causal(tmp_path / "whole")
    batch = batch_for(whole)
    small = densify(whole, VANISHED[name])
    save(small, tmp_path / "small")
    torch.testing.assert_close(outputs(load_causal(tmp_path / "small"), batch), outputs(small, batch))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in (*FREE, *OWN)])
def test_fewer_heads_are_carried_where_the_stock_class_ties_them_to_the_states(name, tmp_path):
    widths = Widths(heads=(2,) * LAYERS, neurons=(12,) * LAYERS)
    small, batch = densify(wide(name), widths), batch_for(wide(name))
    save(small, tmp_path / "small")
    assert config_of(tmp_path / "small")["model_type"] == PREFIX + name
    again = reloaded(name, tmp_path / "small")
    torch.testing.assert_close(outputs(again, batch), outputs(small, batch))


def test_heads_that_a_stock_configuration_refuses_are_carried(tmp_path):
    network = wide("llama", num_key_value_heads=4)
    widths = Widths(heads=(3,) * LAYERS, neurons=(12,) * LAYERS)  # 3 does not divide the width of 16
    small, batch = densify(network, widths), batch_for(network)
    save(small, tmp_path / "small")
    assert config_of(tmp_path / "small")["model_type"] == "narrow-llama"
    again = load_causal(tmp_path / "small")
    torch.testing.assert_close(outputs(again, batch), outputs(small, batch))


def test_a_view_is_saved_as_the_dense_network_that_it_computes(tmp_path):
    seen = view(wide("bert"), VANISHED["bert"])
    save(seen, tmp_path / "small")
    again, batch = load(tmp_path / "small"), make_batch()
    torch.testing.assert_close(outputs(again, batch), outputs(seen, batch), rtol=1e-6, atol=1e-6)
    assert again.labels == seen.labels == ("a", "b", "c")
    assert sum(p.numel() for p in again.parameters()) < sum(p.numel() for p in seen.parameters())


@pytest.mark.parametrize("trust", [False, True])
def test_code_in_a_folder_is_not_run_where_the_classes_are_known(trust, tmp_path):
    small, batch = densify(wide("gpt2"), VANISHED["gpt2"]), batch_for(wide("gpt2"))
    save(small, tmp_path / "small")
    code = tmp_path / "small" / "modeling_narrow.py"
    assert "class NarrowGPT2ForCausalLM" in code.read_text()
    code.write_text("raise RuntimeError('it must not be run')")
    again = load_causal(tmp_path / "small", trust_remote_code=trust)
    torch.testing.assert_close(outputs(again, batch), outputs(small, batch))
    stock = AutoModelForCausalLM.from_pretrained(tmp_path / "small")
    assert type(stock) is type(small.model)


def test_a_saved_narrow_network_knows_what_it_is_for(tmp_path):
    for name in ("bert", "gpt2", "llama"):
        save(densify(wide(name), VANISHED[name]), tmp_path / name)
    assert has_head(tmp_path / "bert")
    assert not is_causal(tmp_path / "bert")
    assert is_causal(tmp_path / "gpt2")
    assert is_causal(tmp_path / "llama")
    with pytest.raises(
        ModelError, match=r"llama is a narrow-llama model that generates text .* needs an encoder"
    ):
        load(tmp_path / "llama")
    with pytest.raises(ModelError, match=r"bert is a classifier \(NarrowBertForSequenceClassification\)"):
        load_causal(tmp_path / "bert")


def test_a_narrow_classifier_gets_new_labels_and_saves_them(tmp_path):
    save(densify(wide("bert"), VANISHED["bert"]), tmp_path / "small")
    other = load(tmp_path / "small", labels=("x", "y"))
    assert widths_of(other) == VANISHED["bert"]
    save(other, tmp_path / "other")
    stock = AutoModelForSequenceClassification.from_pretrained(tmp_path / "other")
    assert stock.config.id2label == {0: "x", 1: "y"}
    assert torch.equal(stock.classifier.weight, other.model.classifier.weight)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ENCODERS])
def test_texts_are_continued_as_without_a_cache(name):
    for network in (densify(wide(name), VANISHED[name]), view(wide(name), VANISHED[name])):
        prompts = [[5, 6, 7, 8, 9], [10, 11]]
        written = generate_completions(network, prompts, max_new=8)
        for prompt, found in zip(prompts, written, strict=True):
            ids = torch.tensor([prompt])
            for token in found:
                with torch.no_grad():
                    logits = network.model(input_ids=ids, use_cache=False).logits[0, -1]
                assert token == int(logits.argmax())
                ids = torch.cat([ids, torch.tensor([[token]])], dim=1)
        assert max(map(len, written)) > 1


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_weights_keep_their_dtype(dtype, tmp_path):
    small = densify(wide("bert").to(dtype), VANISHED["bert"])
    save(small, tmp_path / "small")
    stock = AutoModelForSequenceClassification.from_pretrained(tmp_path / "small")
    for ours, theirs in zip(small.model.parameters(), stock.parameters(), strict=True):
        assert torch.equal(ours, theirs)
