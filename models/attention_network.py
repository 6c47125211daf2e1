"""The networks of a `TransformerConfig`, packed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from data.codes import PADDING
from data.errors import UsageError
from models.attention import TransformerConfig
from models.layers import PackedLinear
from models.network import Network, Noise
from models.pack import Form
from models.pooling import Greatest, held_places, mean_of
from models.tokens import Texts, Tokens

EPSILON = 1e-12  # of the variance; BERT's own


class Transformer(Network):
    """States of the lower layers to logits; the layers start from the weights in the form.

    Raises:
        UsageError: the inputs are no pieces of texts, or their units are not shared evenly by the heads.
    """

    def __init__(
        self, config: TransformerConfig, form: Form, outputs: int, generators: Sequence[torch.Generator]
    ) -> None:
        super().__init__()
        if not isinstance(form, Tokens) or "center" not in form.weights:
            raise UsageError(
                "a TransformerConfig takes pieces of texts: give the candidate a recipe of features.pieces"
            )
        if form.context % config.heads:
            raise UsageError(f"{form.context} units are not shared evenly by heads={config.heads}")
        self.nets, self.config = len(generators), config
        self.slow_rate = config.tuned
        self.center: Tensor
        self.scale: Tensor
        for name in ("center", "scale"):
            self.register_buffer(name, form.weights[name].repeat(self.nets, 1, 1, 1))
        count = len({name.partition(".")[0] for name in form.weights} - {"center", "scale"})
        self.layers = nn.ModuleList(
            SelfAttention(_part(form.weights, str(number)), self.nets, config.heads) for number in range(count)
        )
        pooled = 3 * form.context
        self.hidden = PackedLinear(pooled, config.head, generators) if config.head else None
        self.output = PackedLinear(config.head or pooled, outputs, generators)

    def slow_parameters(self) -> list[nn.Parameter]:
        """See `Network.slow_parameters`."""
        return list(self.layers.parameters())

    def forward(self, input: Texts, noise: Noise | None = None) -> Tensor:
        """See `Network.forward`."""
        lengths = (input.tokens != PADDING).sum(dim=1).clamp_min(1)  # [nets, rows]
        held = held_places(lengths, input.tokens.shape[1])  # [nets, tokens, rows, 1]
        x = (self.center + self.scale * input.context).transpose(1, 2).contiguous()  # [nets, rows, tokens, units]
        hidden_from = (held.squeeze(3).transpose(1, 2) - 1) * torch.finfo(x.dtype).max  # [nets, rows, tokens]
        for layer in self.layers:
            x = layer(x, hidden_from, self.config.dropout, noise)
        by_token = x.transpose(1, 2)
        pooled = torch.cat([x[:, :, 0], mean_of(by_token, held), Greatest.apply(by_token, held)], dim=2)
        if noise is not None:
            pooled = noise.dropout(pooled, self.config.head_dropout)
        if self.hidden is not None:
            pooled = self.hidden(pooled).relu()
            if noise is not None:
                pooled = noise.dropout(pooled, self.config.head_dropout)
        return self.output(pooled)


class SelfAttention(nn.Module):
    """One layer of BERT (Devlin et al., 2019, https://arxiv.org/abs/1810.04805), with its weights' names.

    Each token takes from all others, then goes through two linear layers; what either adds is normalised with what was
    there.

    Shape: [nets, rows, tokens, units] to the same

    Args:
        weights: of one layer, which all networks start from.
        nets: how many.
        heads: that share the units.
    """

    def __init__(self, weights: Mapping[str, Tensor], nets: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        asked = [f"attention.self.{name}" for name in ("query", "key", "value")]

        def linear(*names: str) -> nn.ParameterList:
            weight = torch.cat([weights[f"{name}.weight"].T for name in names], dim=1)
            bias = torch.cat([weights[f"{name}.bias"] for name in names])
            return nn.ParameterList([_for_each(weight, nets), _for_each(bias.unsqueeze(0), nets)])

        def norm(name: str) -> nn.ParameterList:
            return nn.ParameterList(
                [_for_each(weights[f"{name}.{kind}"].unsqueeze(0), nets) for kind in ("weight", "bias")]
            )

        self.asked = linear(*asked)
        self.taken = linear("attention.output.dense")
        self.taken_norm = norm("attention.output.LayerNorm")
        self.widened = linear("intermediate.dense")
        self.narrowed = linear("output.dense")
        self.narrowed_norm = norm("output.LayerNorm")

    def forward(self, x: Tensor, hidden_from: Tensor, dropout: float, noise: Noise | None) -> Tensor:
        """Computes.

        Args:
            x: see above.
            hidden_from: added to what each token asks of another; float32 [nets, rows, tokens], 0 or nearly -infinity.
            dropout: of what is added.
            noise: see `Network.forward`.
        """
        nets, rows, tokens, units = x.shape
        flat = x.flatten(1, 2)  # [nets, rows x tokens, units]
        asked = _linear(flat, self.asked).view(nets * rows, tokens, 3, self.heads, units // self.heads)
        query, key, value = asked.permute(2, 0, 3, 1, 4).contiguous()  # [nets x rows, heads, tokens, units of a head]
        # torch's scaled_dot_product_attention takes ten times as long on a CPU, from 16 tokens on with bfloat16 factors
        found = (query * (units // self.heads) ** -0.5) @ key.transpose(2, 3)
        share = (found + hidden_from.reshape(nets * rows, 1, 1, tokens)).softmax(dim=3)
        added = _linear((share @ value).transpose(1, 2).reshape(flat.shape), self.taken)
        flat = _normed(flat + _dropped(added, x.shape, dropout, noise), self.taken_norm)
        added = _linear(functional.gelu(_linear(flat, self.widened)), self.narrowed)
        return _normed(flat + _dropped(added, x.shape, dropout, noise), self.narrowed_norm).view(x.shape)


def _part(weights: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key.partition(".")[2]: each for key, each in weights.items() if key.partition(".")[0] == name}


def _for_each(weight: Tensor, nets: int) -> nn.Parameter:
    """The same for every network, [nets, ...], each of which trains its own."""
    return nn.Parameter(weight.float().expand(nets, *weight.shape).clone())


def _linear(x: Tensor, parameters: nn.ParameterList) -> Tensor:
    weight, bias = parameters
    return torch.baddbmm(bias, x, weight)


def _dropped(x: Tensor, shape: torch.Size, p: float, noise: Noise | None) -> Tensor:
    """Drops units of a row, for all its tokens, so that the mask is one of rows, however long a batch is."""
    if noise is None or not p:
        return x
    nets, rows, _, units = shape
    kept, _ = noise.kept((nets, rows, units), p)
    return (x.view(shape) * kept.unsqueeze(2)).view(x.shape)


def _normed(x: Tensor, parameters: nn.ParameterList) -> Tensor:
    weight, bias = parameters
    return functional.layer_norm(x, x.shape[-1:], eps=EPSILON) * weight + bias
