"""Attention: BERT's own layers, packed, cut above a layer and tuned."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from transformers import BertConfig
from transformers.models.bert.modeling_bert import BertEncoder

from data.codes import CONTEXT_STEP, UNSEEN
from data.datasets import Fold, Rows, SequenceDataset
from data.errors import UnavailableError, UsageError
from data.metrics import ACCURACY
from features.minilm import OfMiniLM
from features.pieces import pieces
from features.reader import Reader
from features.recipe import Workshop
from models.attention import TransformerConfig
from models.config import Schedule
from models.crossfit import crossfit
from models.optimizers import build_optimizers
from models.rnn import RNNConfig
from models.summary import summarize, text_of
from models.tokens import Texts, Tokens
from models.training import Training, generators_of, pack_generators
from tests.test_text import tables_of_texts
from tests.toy import sequences, text_folds

UNITS, HEADS, LAYERS = 16, 4, 2
CONFIG = TransformerConfig(heads=HEADS, head=8, members=2, epochs=8, batch=16, lr=0.01, refit=0)
CPU = torch.device("cpu")


def bert() -> BertEncoder:
    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=UNITS, num_attention_heads=HEADS, num_hidden_layers=LAYERS, intermediate_size=24
    )  # fmt: skip
    config._attn_implementation = "eager"
    return BertEncoder(config).eval()


def weights_of(encoder: BertEncoder) -> dict[str, torch.Tensor]:
    own = {name.removeprefix("layer."): each for name, each in encoder.state_dict().items()}
    return own | {"center": torch.zeros(UNITS), "scale": torch.ones(UNITS)}


def with_states(data: Rows) -> SequenceDataset:
    """Every token with a state of its own."""
    assert isinstance(data, SequenceDataset)
    states = torch.randn(UNSEEN + 17, UNITS, generator=torch.Generator().manual_seed(1))
    context = (states[data.input] / CONTEXT_STEP / 4).round().clamp(-127, 127).to(torch.int8)
    return replace(data, context=context, weights=weights_of(bert()))


def folds() -> list[Fold]:
    found = text_folds(rows=240)
    return [
        replace(fold, train=with_states(fold.train), valid=with_states(fold.valid), test=with_states(fold.test))
        for fold in found
    ]


def test_the_layers_are_berts():
    encoder = bert()
    form = Tokens(vocabulary=9, units=0, context=UNITS, longest=7, weights=weights_of(encoder))
    network = CONFIG.build(form, 3, generators_of(0, 0, 2))
    x = torch.randn(2, 5, 7, UNITS)
    lengths = torch.randint(1, 8, (2, 5))
    here = torch.arange(7) < lengths.unsqueeze(2)  # [nets, rows, tokens]
    hidden_from = (here.float() - 1) * torch.finfo(torch.float32).max
    found = x
    for layer in network.layers:
        found = layer(found, hidden_from, 0.0, None)
    for net in range(2):
        wanted = encoder(x[net], attention_mask=hidden_from[net][:, None, None]).last_hidden_state
        torch.testing.assert_close(found[net][here[net]], wanted[here[net]], atol=1e-5, rtol=1e-4)


def test_the_summary_counts_every_parameter():
    form = Tokens(vocabulary=9, units=0, context=UNITS, longest=7, weights=weights_of(bert()))
    network = CONFIG.build(form, 3, generators_of(0, 0, 2))
    lines = summarize(network, form, rows=5)
    assert [line.layer.split()[1] for line in lines] == [*["SelfAttention"] * LAYERS, *["PackedLinear"] * 2]
    total = sum(parameter.numel() for parameter in network.parameters())
    assert f"2 networks: {total:,} parameters" in text_of(lines, 2)


def test_padding_changes_no_answer():
    (fold, *_) = folds()
    form = Tokens.of([fold.train])
    network = CONFIG.build(form, 2, generators_of(0, 0, 1))
    pack = form.stack([fold.train], CPU)
    together = network(pack.input_of(torch.arange(20).unsqueeze(0)))[0]
    alone = torch.cat([network(pack.input_of(torch.tensor([[row]])))[0] for row in range(20)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


def test_a_pack_learns_and_a_network_alone_learns_the_same():
    parts = folds()
    config = replace(CONFIG, schedule=Schedule.CONSTANT)
    packed = crossfit(parts, None, config, 2, ACCURACY)
    assert packed.score > 0.6  # whether the last word is good; chance is a half, and no state tells its place

    def losses(chosen: list[Fold]) -> torch.Tensor:
        form, generators = Tokens.of([parts[0].train]), pack_generators(0, len(chosen), config.members)
        pack = form.stack([fold.train for fold in chosen], CPU)
        training = Training(config.build(form, 2, generators), pack, config, generators)
        return torch.stack([training.epoch() for _ in range(2)])

    torch.testing.assert_close(losses(parts[:1]), losses(parts)[:, : config.members], atol=1e-4, rtol=1e-4)


def test_layers_that_were_trained_before_learn_at_a_rate_of_their_own():
    form = Tokens.of([folds()[0].train])
    network = CONFIG.build(form, 2, generators_of(0, 0, 2))
    (optimizer,) = build_optimizers(CONFIG, network)
    shares = {id(each): group["share"] for group in optimizer.param_groups for each in group["params"]}
    assert {shares[id(each)] for each in network.layers.parameters()} == {CONFIG.tuned}
    assert shares[id(network.output.weight)] == 1
    assert len(shares) == len(list(network.parameters()))


@pytest.mark.parametrize("layer", [0, 3, 5])
def test_the_cut_model_is_the_whole_one(layer):
    texts = ["a good film", "not a good film , unbelievably", "None", ""]
    tables = tables_of_texts(texts, ["film"])
    fold = pieces("phrase", layer=layer).prepare(tables, Workshop()).encode(tables, None)
    form = Tokens.of([fold.train])
    network = replace(CONFIG, heads=12).build(form, 2, generators_of(0, 0, 1))
    pack, reader = form.stack([fold.train], CPU), Reader(CPU, 6)
    encoded = reader.pieces([text.split() or [""] for text in texts])
    for rows, wanted in reader.states([each.ids for each in encoded], [6]):
        for row, states in zip(rows, wanted, strict=True):
            given = pack.input_of(torch.tensor([[int(row)]]))
            x = (network.center + network.scale * given.context).transpose(1, 2)
            for layer in network.layers:
                x = layer(x, torch.zeros(x.shape[:3]), 0.0, None)
            cosine = torch.nn.functional.cosine_similarity(x[0, 0], states, dim=1)
            assert cosine.min() > 0.995  # whole numbers on the one side, bfloat16 on the other
    assert fold.test.input.tolist() == fold.train.input[[0, 3, 4]].tolist()  # the first piece, film, the last


def test_an_rnn_reads_pieces_too():
    tables = tables_of_texts(["a good film", "bad"], ["film"])
    fold = pieces("phrase").prepare(tables, Workshop()).encode(tables, None)
    network = RNNConfig(width=4).build(Tokens.of([fold.train]), 2, generators_of(0, 0, 1))
    assert network(Tokens.of([fold.train]).example(1, 3)).shape == (1, 3, 2)


def test_what_cannot_be_is_refused(monkeypatch):
    form = Tokens.of([sequences([torch.tensor([2])], [0], torch.zeros(3, 0))])
    with pytest.raises(UsageError, match=r"features\.pieces"):
        CONFIG.build(form, 2, generators_of(0, 0, 1))
    with pytest.raises(UsageError, match="heads=3"):
        replace(CONFIG, heads=3).build(Tokens.of([folds()[0].train]), 2, generators_of(0, 0, 1))
    with pytest.raises(ValueError, match="layer=6"):
        pieces("phrase", layer=6)
    with pytest.raises(ValueError, match="heads"):
        replace(CONFIG, heads=0)
    monkeypatch.setattr(OfMiniLM, "package", "no-such-package")
    with pytest.raises(UnavailableError, match="pip install no-such-package"):
        pieces("phrase").prepare(tables_of_texts(["a", "b"], ["c"]), Workshop())


def test_an_input_of_nothing_has_an_answer():
    form = Tokens.of([folds()[0].train])
    network = CONFIG.build(form, 3, generators_of(0, 0, 2))
    assert network(form.example(2, 4)).shape == (2, 4, 3)
    nothing = Texts(tokens=torch.zeros(2, 1, 1, dtype=torch.int64), context=torch.zeros(2, 1, 1, UNITS))
    assert network(nothing).isfinite().all()
