"""Causal language models of Hugging Face as a `LanguageNet`, the interface that methods use."""

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
"""Fields of configurations that multiply all logits (Cohere, Falcon-H1)."""

LOGIT_DIVISORS = ("logits_scaling", "logits_mup_width_multiplier")
"""Fields of configurations that divide all logits (Granite, MiniCPM3, Inkling)."""

LOGIT_SOFTCAPS = ("final_logit_softcapping", "logits_soft_cap", "output_logit_soft_cap")
"""Fields of configurations that limit logits with a hyperbolic tangent (Gemma, RecurrentGemma, xLSTM)."""

LOGIT_SCALE_EXCEPTIONS = {"hyperclovax": (("logits_scaling",), ()), "mpt": ((), ())}
"""Model types that use these fields differently: (multipliers, divisors)."""


class LanguageNetwork(nn.Module):
    """A causal language model; implements `LanguageNet`. The Hugging Face model is `network.model`.

    `forward` does not compute logits itself: it passes the final hidden states and the output layer to the
    caller's function, which can compute logits in chunks to save memory.
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
        self.train(model.training)  # a new module is in training mode, which would switch dropout on

    @property
    def head(self) -> LMHead:
        """The output layer, limited to `vocabulary` tokens; it shares the model's weights."""
        layer = _output(self.model, self.source)
        bias = getattr(layer, "bias", None)
        return LMHead(
            weight=layer.weight[: self.vocabulary],
            bias=None if bias is None else bias[: self.vocabulary],
            scale=self._scale,
            softcap=self._softcap,
        )

    def limit_vocabulary(self, vocabulary: int) -> None:
        """Ignore outputs with ids >= `vocabulary`, which are padding and correspond to no token."""
        self.vocabulary = self.num_classes = int(vocabulary)

    def with_model(self, model: PreTrainedModel, *, source: str) -> "LanguageNetwork":
        """A network for another model, with the same tokenizer and vocabulary."""
        other = LanguageNetwork(model, self.tokenizer, source=source)
        other.limit_vocabulary(self.vocabulary)
        return other

    def forward(
        self, inputs: Inputs, *, at: Bool[Tensor, "b t"], head_fn: HeadFunction
    ) -> Mapping[str, Tensor]:
        """Run the model once and apply `head_fn` to the final hidden states.

        Args:
            inputs: Token ids and their mask; `partners` and `segments` are ignored.
            at: Positions to select. Position t predicts the token at t + 1.
            head_fn: Called with the hidden states of the n selected positions, row by row, of shape (n, d),
                and the output layer.

        Returns:
            The result of `head_fn`.
        """
        return head_fn(self.states(inputs)[at], self.head)

    def states(self, inputs: Inputs) -> Float[Tensor, "b t d"]:
        """Final hidden states of all positions, which are the input of the output layer."""
        backbone: Any = self.model.base_model
        states: Tensor = backbone(
            input_ids=inputs.ids, attention_mask=inputs.mask, use_cache=False
        ).last_hidden_state
        return states

    def checkpoint_gradients(self) -> None:
        """Enable gradient checkpointing: recompute the activations of each layer in the backward pass.

        Raises:
            ModelError: If the model does not support it.
        """
        model: Any = self.model
        if not model.supports_gradient_checkpointing:
            raise ModelError(
                f"{self.source}: {model.config.model_type} models do not support gradient checkpointing. "
                "Switch it off."
            )
        older = model.gradient_checkpointing_enable  # the name before it was renamed
        getattr(model, "activation_checkpointing_enable", older)({"use_reentrant": False})

    @property
    def checkpoints_gradients(self) -> bool:
        """Whether gradient checkpointing is enabled."""
        return any(getattr(module, "gradient_checkpointing", False) for module in self.model.modules())


AnyNetwork = TypeVar("AnyNetwork", Network, LanguageNetwork)
"""A classifier or a language model; functions return the type that they are given."""


def require_known_output(network: LanguageNetwork) -> None:
    """Check on a few tokens that `network.head` computes the same logits as the Hugging Face model.

    Args:
        network: Network to check; not changed.

    Raises:
        ModelError: If the logits differ, so `LMHead` does not describe how the model computes them.
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
    # Relative to the largest logit, for rounding errors of 24 bits (float32) and of 8 bits (bfloat16).
    tolerance = 1e-4 if model.dtype == torch.float32 else 3e-2
    if not torch.allclose(ours, theirs, rtol=0.0, atol=tolerance * float(theirs.abs().max())):
        raise _unsupported_output(model, network.source)


def _output(model: PreTrainedModel, source: str) -> Any:
    """The output layer, which maps hidden states to logits."""
    stock: Any = model
    layer = stock.get_output_embeddings()
    if getattr(layer, "weight", None) is None or layer.weight.ndim != 2:
        raise _unsupported_output(model, source)
    return layer


def _scale(config: Any) -> float:
    """Factor of all logits."""
    multipliers, divisors = LOGIT_SCALE_EXCEPTIONS.get(config.model_type, (LOGIT_MULTIPLIERS, LOGIT_DIVISORS))
    scale = 1.0
    for name in multipliers:
        scale *= float(getattr(config, name, None) or 1.0)
    for name in divisors:
        scale /= float(getattr(config, name, None) or 1.0)
    return scale


def _softcap(config: Any) -> float | None:
    """Limit of the logits (see `LMHead.softcap`); None if there is none."""
    caps = (getattr(config, name, None) for name in LOGIT_SOFTCAPS)
    return next((float(cap) for cap in caps if cap is not None), None)


def _unsupported_output(model: PreTrainedModel, source: str) -> ModelError:
    return ModelError(
        f"{source} is a {model.config.model_type} model, which computes its logits in an unsupported way. "
        "Use a model of another family, such as llama, qwen2 or gpt2."
    )
