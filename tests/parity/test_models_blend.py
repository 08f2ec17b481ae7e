"""A BERT classifier over interpolated texts, rewritten in float64 numpy from the papers, text by text."""

import numpy as np
import pytest
import torch
from scipy.special import erf, softmax

from lmdistill.core.batch import Inputs, MixupPartners
from tests.tiny import make_batch, tiny

HEADS = 2


class Weights:
    """The parameters of a torch model, by name, as float64 arrays."""

    def __init__(self, model):
        self.all = {name: value.detach().double().numpy() for name, value in model.named_parameters()}

    def linear(self, name, x):
        return x @ self.all[f"{name}.weight"].T + self.all[f"{name}.bias"]

    def norm(self, name, x):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-12)
        return x * self.all[f"{name}.weight"] + self.all[f"{name}.bias"]


def layer(w, at, x):
    """Vaswani et al. 2017, norms behind the sums; no padding here, so no mask."""
    query, key, value = (w.linear(f"{at}.attention.self.{name}", x) for name in ("query", "key", "value"))
    heads = []
    for q, k, v in zip(*(np.split(part, HEADS, axis=1) for part in (query, key, value)), strict=True):
        heads.append(softmax(q @ k.T / np.sqrt(q.shape[1]), axis=-1) @ v)
    x = w.norm(
        f"{at}.attention.output.LayerNorm",
        x + w.linear(f"{at}.attention.output.dense", np.concatenate(heads, 1)),
    )
    inner = w.linear(f"{at}.intermediate.dense", x)
    inner = inner * 0.5 * (1 + erf(inner / np.sqrt(2)))
    return w.norm(f"{at}.output.LayerNorm", x + w.linear(f"{at}.output.dense", inner))


def classify(w, layers, words, segments):
    """Logits of one text, given as its word and segment vectors."""
    x = words + segments + w.all["bert.embeddings.position_embeddings.weight"][: len(words)]
    x = w.norm("bert.embeddings.LayerNorm", x)
    for number in range(layers):
        x = layer(w, f"bert.encoder.layer.{number}", x)
    return w.linear("classifier", np.tanh(w.linear("bert.pooler.dense", x[0])))


def vectors(w, ids, segments, length):
    """Word vectors of a text, zero behind its end; and segment vectors, of segment 0 behind its end."""
    words = np.zeros((length, 16))
    words[: len(ids)] = w.all["bert.embeddings.word_embeddings.weight"][ids]
    numbers = np.zeros(length, dtype=int)
    numbers[: len(ids)] = segments
    return words, w.all["bert.embeddings.token_type_embeddings.weight"][numbers]


@pytest.mark.parametrize("mix_segments", [True, False])
def test_interpolated_texts_of_different_lengths(mix_segments):
    network, batch = tiny(layers=3).double(), make_batch().inputs
    other, share = torch.tensor([1, 2, 3, 4, 5, 6, 7, 0]), torch.linspace(0.1, 0.9, 8)
    blend = MixupPartners(
        ids=batch.ids[other],
        mask=batch.mask[other],
        share=share,
        segments=batch.segments[other] if mix_segments else None,
    )
    ours = network(Inputs(ids=batch.ids, mask=batch.mask, segments=batch.segments, partners=blend)).logits
    w = Weights(network.model)
    for i, j in enumerate(other.tolist()):
        ends = int(batch.mask[i].sum()), int(batch.mask[j].sum())
        s = share[i].double().item()
        first = vectors(w, batch.ids[i, : ends[0]], batch.segments[i, : ends[0]], max(ends))
        second = vectors(w, batch.ids[j, : ends[1]], batch.segments[j, : ends[1]], max(ends))
        words = s * first[0] + (1 - s) * second[0]
        segments = s * first[1] + (1 - s) * second[1] if mix_segments else first[1]
        np.testing.assert_allclose(ours[i].detach().numpy(), classify(w, 3, words, segments), rtol=1e-9)


def test_plain_texts():
    network, batch = tiny(layers=3).double(), make_batch().inputs
    w = Weights(network.model)
    logits = network(batch).logits.detach().numpy()
    for i, length in enumerate(batch.mask.sum(1).tolist()):
        words, segments = vectors(w, batch.ids[i, :length], batch.segments[i, :length], length)
        np.testing.assert_allclose(logits[i], classify(w, 3, words, segments), rtol=1e-9)
