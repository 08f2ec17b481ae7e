"""A Hugging Face causal language model behind the one call that methods use."""

from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from transformers import PreTrainedModel

from lmdistill.core.batch import Inputs, LMHead
from lmdistill.core.errors import ModelError
from lmdistill.core.protocols import HeadFunction
from lmdistill.models.classifier import Network

LOGIT_MULTIPLIERS = ("logit_scale", "lm_head_multiplier")
"""What configurations call a factor of all logits (Cohere, Falcon-H1)."""

LOGIT_DIVISORS = ("logits_scaling", "logits_mup_width_multiplier")
"""What they call a divisor (Granite, MiniCPM3, Inkling)."""

LOGIT_SOFTCAPS = ("final_logit_softcapping", "logits_soft_cap", "output_logit_soft_cap")
"""What they call the bound of a hyperbolic tangent (Gemma, RecurrentGemma, xLSTM)."""

LOGIT_SCALE_EXCEPTIONS = {"hyperclovax": (("logits_scaling",), ()), "mpt": ((), ())}
"""Families that use those names otherwise: their factors and their divisors."""


class LanguageNetwork(nn.Module):
    """Adapter; the stock model is `network.model`, untouched.

    The output layer is not applied here: whoever calls gets final states and the layer, and decides which
    logits it can afford.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: Any, *, source: str) -> None:
        super().__init__()
        config: Any = model.config.get_text_config()  # transformers does not type these fields
        self.model = model
        self.tokenizer = tokenizer
        self.source = source
        self.num_layers = int(config.num_hidden_layers)
        self.labels: tuple[str, ...] = ()
        self.rows, self.width = (int(size) for size in _output(model, source).weight.shape)
        self.limit_vocabulary(self.rows)
        self._scale, self._softcap = _scale(config), _softcap(config)
        self.train(model.training)  # as the model is, or whoever restores the mode later turns dropout on

    @property
    def head(self) -> LMHead:
        """The output layer, cut to the vocabulary; gradients reach the model's own weights."""
        layer = _output(self.model, self.source)
        bias = getattr(layer, "bias", None)
        return LMHead(
            weight=layer.weight[: self.vocabulary],
            bias=None if bias is None else bias[: self.vocabulary],
            scale=self._scale,
            softcap=self._softcap,
        )

    def limit_vocabulary(self, vocabulary: int) -> None:
        """Forget outputs from `vocabulary` on, which stand for no token."""
        self.vocabulary = self.num_classes = int(vocabulary)

    def with_model(self, model: PreTrainedModel, *, source: str) -> "LanguageNetwork":
        """A network of another model with the same tokenizer and vocabulary."""
        other = LanguageNetwork(model, self.tokenizer, source=source)
        other.limit_vocabulary(self.vocabulary)
        return other

    def forward(
        self, inputs: Inputs, *, at: Bool[Tensor, "b t"], head_fn: HeadFunction
    ) -> Mapping[str, Tensor]:
        """Run the layers once and let `head_fn` make something of the final states.

        Args:
            inputs: Token ids and their mask; partners and segments are not read.
            at: Positions to be read. Position t answers for the token at t + 1.
            head_fn: Given the states of the n positions, row by row, of shape (n, d), and the output layer.

        Returns:
            What `head_fn` returns.
        """
        return head_fn(self.states(inputs)[at], self.head)

    def states(self, inputs: Inputs) -> Float[Tensor, "b t d"]:
        """Final states of all positions, as the output layer reads them."""
        backbone: Any = self.model.base_model
        found: Tensor = backbone(
            input_ids=inputs.ids, attention_mask=inputs.mask, use_cache=False
        ).last_hidden_state
        return found

    def checkpoint_gradients(self) -> None:
        """Keep only what goes into each layer and compute the rest again in the backward pass.

        Raises:
            ModelError: If the family cannot.
        """
        model: Any = self.model
        if not model.supports_gradient_checkpointing:
            raise ModelError(
                f"{self.source}: {model.config.model_type} models have no gradient checkpointing. Leave it."
            )
        older = model.gradient_checkpointing_enable  # its former name
        getattr(model, "activation_checkpointing_enable", older)({"use_reentrant": False})

    @property
    def checkpoints_gradients(self) -> bool:
        """Whether `checkpoint_gradients` was asked for."""
        return any(getattr(module, "gradient_checkpointing", False) for module in self.model.modules())


AnyNetwork = TypeVar("AnyNetwork", Network, LanguageNetwork)
"""A classifier or a language model; what goes in comes out."""


def require_known_output(network: LanguageNetwork) -> None:
    """The output layer as `LMHead` describes it must be all that stands between states and logits.

    Args:
        network: Tried on a few tokens; not changed.

    Raises:
        ModelError: If the stock model computes other logits.
    """
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(network.vocabulary, (2, 5), generator=generator).to(network.model.device)
    inputs, model = Inputs(ids=ids, mask=torch.ones_like(ids)), network.model
    modes = network.training
    network.eval()
    with torch.no_grad():
        ours = network.head.logits(network.states(inputs)).float()
        theirs = model(input_ids=ids, attention_mask=inputs.mask, use_cache=False).logits.float()
    network.train(modes)
    theirs = theirs[..., : network.vocabulary]
    near = 1e-4 if model.dtype == torch.float32 else 3e-2  # of the largest: roundings of 24 and of 8 bits
    if not torch.allclose(ours, theirs, rtol=0.0, atol=near * float(theirs.abs().max())):
        raise _unknown(model, network.source)


def _output(model: PreTrainedModel, source: str) -> Any:
    """The module that turns states into logits."""
    stock: Any = model
    layer = stock.get_output_embeddings()
    if getattr(layer, "weight", None) is None or layer.weight.ndim != 2:
        raise _unknown(model, source)
    return layer


def _scale(config: Any) -> float:
    """What all logits are multiplied by."""
    times, over = LOGIT_SCALE_EXCEPTIONS.get(config.model_type, (LOGIT_MULTIPLIERS, LOGIT_DIVISORS))
    scale = 1.0
    for name in times:
        scale *= float(getattr(config, name, None) or 1.0)
    for name in over:
        scale /= float(getattr(config, name, None) or 1.0)
    return scale


def _softcap(config: Any) -> float | None:
    """The bound of the logits, if there is one."""
    caps = (getattr(config, name, None) for name in LOGIT_SOFTCAPS)
    return next((float(cap) for cap in caps if cap is not None), None)


def _unknown(model: PreTrainedModel, source: str) -> ModelError:
    return ModelError(
        f"{source} is a {model.config.model_type} model, and its output is computed in a way that is not "
        "known. Use a model of another family, such as llama, qwen2 or gpt2."
    )
