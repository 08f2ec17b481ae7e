import pytest
import torch
from transformers import AutoModelForCausalLM

from lmdistill.core.errors import ModelError
from lmdistill.export.hugging_face import save
from lmdistill.models.causal_lm import LanguageNetwork, require_known_output
from lmdistill.models.generation import generate_completions
from lmdistill.models.model_stats import count_parameters, fingerprint, flops
from lmdistill.models.students.random_init import random_init
from lmdistill.models.students.truncate import CAUSAL_LM_LAYERS, truncate
from tests.tiny_causal import END, FAMILIES, language_batch, tiny_language

PROMPTS = [[4, 9, 7], [5], [11, 6, 4, 20, 8]]


def test_every_family_of_the_table_is_tested():
    assert CAUSAL_LM_LAYERS.keys() == FAMILIES.keys()


def each_layer(network):
    inputs = language_batch().inputs
    return network.model(
        input_ids=inputs.ids, attention_mask=inputs.mask, output_hidden_states=True, use_cache=False
    ).hidden_states


def test_a_student_of_a_teacher_in_half_precision_is_whole_and_is_saved_so(tmp_path):
    teacher = tiny_language()
    teacher.to(dtype=torch.bfloat16)
    student = truncate(teacher, layers=2)
    assert {p.dtype for p in teacher.parameters()} == {torch.bfloat16}
    assert {p.dtype for p in student.parameters()} == {torch.float32}
    rounded = teacher.model.get_input_embeddings().weight.float()
    assert torch.equal(student.model.get_input_embeddings().weight, rounded)
    save(student, tmp_path / "student")
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "student").dtype == torch.float32


@pytest.mark.parametrize("name", FAMILIES)
def test_the_first_layers_compute_what_they_did_in_the_teacher(name):
    teacher = tiny_language(name)
    student = truncate(teacher, layers=2)
    assert isinstance(student, LanguageNetwork)
    assert student.num_layers == student.model.config.num_hidden_layers == 2
    ours, theirs = each_layer(student), each_layer(teacher)
    mask = language_batch().inputs.mask == 1
    for mine, other in zip(ours[:2], theirs[:2], strict=True):  # the last is normalised
        torch.testing.assert_close(mine[mask], other[mask])


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize(("layers", "keep"), [(2, "last"), (2, "alternate"), ((1, 2, 3), "first")])
def test_a_saved_student_is_a_stock_model_with_the_same_logits_and_text(name, layers, keep, tmp_path):
    student, inputs = truncate(tiny_language(name), layers=layers, keep=keep), language_batch().inputs
    save(student, tmp_path / "student")
    stock = AutoModelForCausalLM.from_pretrained(tmp_path / "student").eval()
    assert stock.config.num_hidden_layers == student.num_layers
    logits = stock(input_ids=inputs.ids, attention_mask=inputs.mask).logits
    mine = student.model(input_ids=inputs.ids, attention_mask=inputs.mask).logits
    torch.testing.assert_close(logits[inputs.mask == 1], mine[inputs.mask == 1], rtol=1e-6, atol=1e-6)
    for prompt, ours in zip(PROMPTS, generate_completions(student, PROMPTS, max_new=12), strict=True):
        ids = torch.tensor([prompt])
        for cache in (True, False):
            theirs = stock.generate(
                ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False, use_cache=cache,
                pad_token_id=0, eos_token_id=END,
            )  # fmt: skip
            assert theirs[0, len(prompt) :].tolist() == ours


@pytest.mark.parametrize("name", FAMILIES)
def test_places_and_kinds_of_attention_follow_the_layers(name):
    teacher = tiny_language(name)
    student = truncate(teacher, layers=(0, 3))
    places = [module.layer_idx for module in student.model.modules() if hasattr(module, "layer_idx")]
    assert sorted(set(places)) == [0, 1]
    assert places == sorted(places)
    if getattr(teacher.model.config, "layer_types", None):
        assert student.model.config.layer_types == [teacher.model.config.layer_types[i] for i in (0, 3)]


@pytest.mark.parametrize("name", FAMILIES)
def test_tied_matrices_stay_tied_and_others_apart(name):
    teacher = tiny_language(name)
    student = truncate(teacher, layers=1)
    table, layer = student.model.get_input_embeddings().weight, student.model.get_output_embeddings().weight
    assert (table is layer) == bool(teacher.model.config.tie_word_embeddings)
    assert table is not teacher.model.get_input_embeddings().weight


def test_a_student_keeps_the_vocabulary_of_its_teacher():
    teacher = tiny_language(rows=40)
    teacher.limit_vocabulary(24)
    assert truncate(teacher, layers=2).vocabulary == 24
    assert random_init(truncate(teacher, layers=2), seed=0).vocabulary == 24


def test_the_teacher_is_neither_changed_nor_shared():
    teacher, inputs = tiny_language("qwen2"), language_batch().inputs
    teacher.requires_grad_(False)
    before = teacher.states(inputs)
    student = truncate(teacher, layers=(1, 3))
    assert all(parameter.requires_grad for parameter in student.parameters())
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.add_(1.0)
    assert torch.equal(teacher.states(inputs), before)
    assert teacher.model.config.num_hidden_layers == 4
    assert [layer.self_attn.layer_idx for layer in teacher.model.model.layers] == [0, 1, 2, 3]


def test_layers_that_are_scaled_by_their_place_stay_there():
    teacher = tiny_language("gpt2", scale_attn_by_inverse_layer_idx=True)
    with pytest.raises(
        ModelError, match=r"gpt2 is scaled by the number of its layer, so layers \[1, 3\] cannot move"
    ):
        truncate(teacher, layers=(1, 3))
    assert truncate(teacher, layers=2).num_layers == 2


def test_unknown_families_are_refused_by_name():
    with pytest.raises(ModelError, match=r"the layers of cohere models are not known; .*llama.* Add a line"):
        truncate(tiny_language("cohere"), layers=2)


@pytest.mark.parametrize("name", FAMILIES)
def test_random_weights_have_the_shape_and_nothing_else(name):
    network = truncate(tiny_language(name), layers=2)
    fresh = random_init(network, seed=1)
    assert isinstance(fresh, LanguageNetwork)
    assert fresh.num_layers == 2
    require_known_output(fresh)
    same, other = random_init(network, seed=1), random_init(network, seed=2)
    assert fingerprint(fresh) == fingerprint(same) != fingerprint(other)
    table, layer = fresh.model.get_input_embeddings().weight, fresh.model.get_output_embeddings().weight
    assert (table is layer) == bool(network.model.config.tie_word_embeddings)
    assert not torch.equal(table, network.model.get_input_embeddings().weight)
    assert fresh.model.generation_config.eos_token_id == END


@pytest.mark.parametrize("name", FAMILIES)
def test_parts_add_up(name):
    network = tiny_language(name)
    parts = count_parameters(network)
    tied = network.model.config.tie_word_embeddings
    table = network.model.get_input_embeddings().weight.numel()
    assert parts.total == sum(p.numel() for p in network.parameters())
    assert parts.head == (
        0 if tied else network.model.get_output_embeddings().weight.numel() + 24 * (name == "phi")
    )
    positions = {"gpt2": 64 * 16, "opt": 66 * 16}.get(name, 0)
    assert parts.embeddings == table + positions
    fewer = count_parameters(truncate(network, layers=2))
    assert (fewer.embeddings, fewer.head) == (parts.embeddings, parts.head)
    assert fewer.encoder < parts.encoder


def test_operations_are_those_of_the_matrix_products():
    d, f, t, v, layers = 16, 32, 10, 24, 4
    projections = (
        2 * t * d * (d + 8 + 8 + d) + 3 * 2 * t * d * f
    )  # one key head of width 8 for two of queries
    attention = 2 * 2 * t * t * d
    assert flops(tiny_language("llama"), t) == layers * (projections + attention) + 2 * t * d * v
