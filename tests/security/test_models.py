"""Model folders: pickles, code of their own, weights elsewhere. Nothing of them is run."""

import json
import pickle
import re
import shutil
from pathlib import Path

import pytest
import torch

from lmdistill.core.errors import ModelError
from lmdistill.core.weight_index import require_own_weights
from lmdistill.export.hugging_face import save
from tests.security.traps import works
from tests.tiny import tiny
from tests.tiny_causal import tiny_language

USES = {
    "evaluate": ("--set", "task=own", "--set", "data.source=texts.csv"),
    "predict": ("dev.csv", "--out", "out.csv"),
    "measure": ("--runs", "1"),
    "prune": ("--keep", "0.5", "--out", "small"),
}
"""Commands that load a classifier from a folder."""


@pytest.fixture
def folder(place):
    """A model folder of the test's own."""
    shutil.copytree(place / "models" / "classifier", place / "theirs")
    return place / "theirs"


def each_command(lmdistill):
    """What every command makes of the folder, a run with it as its teacher included."""
    said = {name: lmdistill(name, "theirs", *rest) for name, rest in USES.items()}
    said["distill"] = lmdistill("distill", "recipe.yaml", "--set", "teacher.model=theirs", "--out", "out")
    said["student"] = lmdistill(
        "distill", "recipe.yaml", "--set", "student={model: theirs}", "--out", "other"
    )
    for one in said.values():
        assert one.code in (0, 2), one.err
        assert "Traceback" not in one.err
    return said


def refused(said, match):
    """All commands said so in one line of errors."""
    for one in said.values():
        errors = [line for line in one.err.splitlines() if line.startswith("error: ")]
        assert (one.code, len(errors)) == (2, 1), one.err
        assert re.search(match, errors[0]), errors[0]


def test_the_traps_of_this_file_are_no_duds(trap, tmp_path):
    works(trap, lambda: pickle.loads(trap.pickled))
    trap.archive(tmp_path / "x.bin")
    works(trap, lambda: torch.load(tmp_path / "x.bin", weights_only=False))


@pytest.mark.parametrize("kind", ["bare", "archive"])
def test_pickled_weights_are_refused(kind, folder, lmdistill, trap):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(trap.pickled)
    if kind == "archive":
        trap.archive(folder / "pytorch_model.bin")
    refused(each_command(lmdistill), "pickled weights only")


def test_an_index_that_names_a_pickle_loads_none(folder, lmdistill, trap):
    names = _weights(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    trap.archive(folder / "pytorch_model.bin")
    index = {"metadata": {}, "weight_map": dict.fromkeys(names, "pytorch_model.bin")}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    refused(each_command(lmdistill), "names 'pytorch_model\\.bin', which is not safetensors")


@pytest.mark.usefixtures("memory_here")
def test_a_pickled_adapter_is_not_run(folder, lmdistill, trap):
    trap.archive(folder / "adapter_model.bin")
    config = {
        "peft_type": "LORA",
        "base_model_name_or_path": str(folder),
        "r": 1,
        "target_modules": ["query"],
    }
    (folder / "adapter_config.json").write_text(json.dumps(config))
    each_command(lmdistill)


@pytest.mark.usefixtures("memory_here")
def test_code_that_comes_with_a_model_is_not_run(folder, lmdistill, trap):
    trap.model_code(folder, "modeling_theirs", "configuration_theirs", "tokenization_theirs")
    each_command(lmdistill)


@pytest.mark.usefixtures("memory_here")
@pytest.mark.parametrize("family", ["narrow", "enc_t5"])
def test_a_replaced_modelling_file_of_a_student_is_not_run(family, place, lmdistill, trap):
    """The folder of a pruned student carries our class for those without lmdistill; ours is not read from there."""
    assert lmdistill("prune", "models/classifier", "--keep", "0.3", "--out", "theirs").code == 0
    folder = Path("theirs")
    assert (folder / "modeling_narrow.py").is_file()
    (folder / "modeling_narrow.py").write_text(trap.code)
    if family == "enc_t5":
        trap.model_code(folder, "modeling_enc_t5")
    said = each_command(lmdistill)
    assert family == "enc_t5" or said["predict"].code == 0, said["predict"].err


OUTSIDE = (
    "../models/classifier/model.safetensors",
    "{here}/models/classifier/model.safetensors",
    "a\\..\\b.safetensors",
    "link.safetensors",
)


@pytest.mark.parametrize("name", OUTSIDE)
def test_weights_outside_the_folder_are_refused(name, folder, place, lmdistill):
    (folder / "model.safetensors").unlink()
    (folder / "link.safetensors").symlink_to(
        (place / "models" / "classifier" / "model.safetensors").resolve()
    )
    name = name.format(here=place)
    weights = _weights(place / "models" / "classifier" / "model.safetensors")
    index = {"metadata": {}, "weight_map": dict.fromkeys(weights, name)}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    refused(each_command(lmdistill), "outside its folder")


def test_the_same_for_language_models(place, lmdistill, trap):
    save(tiny_language(layers=1), place / "writer")
    (place / "writer" / "model.safetensors.index.json").write_text(
        '{"weight_map": {"a": "../x.safetensors"}}'
    )
    said = lmdistill("generate", "writer", "dev.csv")
    assert said.code == 2
    assert "outside its folder" in said.err
    (place / "writer" / "model.safetensors.index.json").unlink()
    trap.archive(place / "writer" / "pytorch_model.bin")
    (place / "writer" / "model.safetensors").unlink()
    assert "pickled weights only" in lmdistill("generate", "writer", "dev.csv").err


def test_several_files_of_weights_and_a_snapshot_of_the_hub_stay_allowed(tmp_path):
    """In the hub's cache a snapshot holds links into the blobs of its repository."""
    snapshot, blobs = tmp_path / "models--a" / "snapshots" / "rev", tmp_path / "models--a" / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    (blobs / "hash").touch()
    (snapshot / "model-1.safetensors").symlink_to(blobs / "hash")
    (snapshot / "model-2.safetensors").touch()
    names = {"a": "model-1.safetensors", "b": "model-2.safetensors"}
    (snapshot / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    require_own_weights(snapshot)


@pytest.mark.parametrize(
    "text",
    ['{"weight_map": 3}', '{"weight_map": {"a": 3}}', "[" * 100_000, "{", '{"weight_map": {"a": "\\u0000"}}'],
)
def test_an_index_that_is_none_is_named(text, tmp_path):
    (tmp_path / "model.safetensors.index.json").write_text(text)
    with pytest.raises(ModelError, match=r"index\.json"):
        require_own_weights(tmp_path)


def test_a_tiny_model_in_several_files_is_loaded(place, lmdistill):
    tiny(labels=("neg", "mid", "pos")).model.save_pretrained("theirs", max_shard_size="5KB")
    shutil.copy("models/classifier/tokenizer.json", "theirs")
    shutil.copy("models/classifier/tokenizer_config.json", "theirs")
    assert Path("theirs/model.safetensors.index.json").is_file()
    rows = "dev.csv", "--out", "out.csv"
    assert lmdistill("predict", "theirs", *rows).code == 0


def _weights(file):
    """Names of the weights in a file."""
    with file.open("rb") as stream:
        size = int.from_bytes(stream.read(8), "little")
        return [name for name in json.loads(stream.read(size)) if name != "__metadata__"]


@pytest.mark.parametrize("key", ["attn_implementation", "_attn_implementation"])
def test_a_kernel_that_a_configuration_names_is_not_fetched(key, folder, lmdistill):
    """Transformers would fetch it from the hub, if the package `kernels` is installed, and run it."""
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {key: "somebody/kernel"}))
    refused(each_command(lmdistill), "somebody/kernel, which is code of the hub")
