"""CATEX: its loss by its formula, prompts embedded as words are, outliers at the boundary."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from transformers import CLIPModel, CLIPTokenizer

from penumbra.errors import PenumbraError
from penumbra.images.augment import Feeder
from penumbra.networks import graphs
from penumbra.networks.backbones import clip as backbone
from penumbra.networks.layers.prompts import Prompts
from penumbra.numerics import unit
from penumbra.outliers import boundary
from penumbra.scores import catex as scorer
from penumbra.training.loop import Trainer
from penumbra.training.method import Batch, Setting
from penumbra.training.methods import catex
from penumbra.training.resume import Resume
from tests.clip import small_clip
from tests.networks.tape import Watch
from tests.training.helpers import CPU, HALF, RECIPE, digits, equal, setting, weights
from tests.training.test_graphs import replaying

CLASSES = ("cat", "snow_owl", "dog")
OPTIONS = {
    "contexts": 4, "queue": 12, "neighbour": 3, "boundary": 5, "candidates": 40, "start": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Its words and patches move embeddings as those of a trained one do."""
    folder = small_clip(tmp_path_factory.mktemp("clip"))
    clip = CLIPModel.from_pretrained(folder)
    with torch.no_grad():
        for name, parameter in clip.named_parameters():
            if parameter.ndim == 2 and "position" not in name:
                parameter *= 5
    clip.save_pretrained(folder)
    return folder


def pair(folder):
    return (kind.from_pretrained(folder) for kind in (CLIPModel, CLIPTokenizer))


def trainer(folder, options=None, graphs=False, **changes):
    """On three digits, in batches of 20 and a last one of 3."""
    pixels, labels = digits(300)
    kept = np.flatnonzero(labels < 3)[:83]
    torch.manual_seed(0)
    model = backbone.build(3, str(folder), HALF)
    plain = vars(setting(model)) | {"classes": CLASSES, "folder": str(folder), "graphs": graphs}
    method = catex.build(OPTIONS | (options or {}), Setting(**plain))
    feeder = Feeder(pixels[kept], labels[kept], HALF, False, 1, False, CPU)
    recipe = RECIPE | {"batch_size": 20, "epochs": 4, "lr": 0.05} | changes
    return Trainer(model, feeder, method, recipe, 0)


def test_contexts_that_are_words_are_embedded_as_these_words(folder):
    clip, tokenizer = pair(folder)
    texts = ["ab cat", "ab snow owl", "ab dog"]
    words = tokenizer(texts, return_tensors="pt", padding=True)
    with torch.no_grad():
        wanted = F.normalize(clip.eval().get_text_features(**words).pooler_output, dim=1)
        contexts = clip.text_model.get_input_embeddings()(words["input_ids"][:, 1:3])
    made = Prompts(clip, tokenizer, ["cat", "snow owl", "dog"], 2, 2)
    found = made.embed(torch.stack([contexts, -contexts]))
    torch.testing.assert_close(found[0], wanted, rtol=1e-5, atol=1e-6)
    assert (found[1] - wanted).abs().max() > 1e-2
    assert [name for name, p in made.named_parameters() if p.requires_grad] == ["contexts"]
    with pytest.raises(PenumbraError, match=r"4 tokens, which with 37 contexts are more .* 40"):
        Prompts(*pair(folder), ["ab"], 1, 37)


def test_the_loss_is_its_formula(folder):
    run = trainer(folder)
    method, o = run.method, run.method.options
    generator = torch.Generator().manual_seed(1)
    z = F.normalize(torch.randn(5, 8, generator=generator), dim=1)
    v = F.normalize(torch.randn(3, 8, generator=generator), dim=1)
    y, there = torch.tensor([0, 2, 1, 1, 2]), torch.tensor([1.0, 0.0, 1.0])
    method.outliers.copy_(v)
    method.there.copy_(there)
    found = method.loss(z, y).item()
    t, s = (method.scale.item() * each for each in method.prompts.embed(method.prompts.contexts))

    def share(right, among):
        return -math.log(math.exp(right) / sum(map(math.exp, among)))

    def terms(z, right, wrong, k, weight):
        right, wrong = (z @ right.T).tolist(), (z @ wrong.T).tolist()
        masked = [-10 if c == k else value for c, value in enumerate(wrong)]
        return weight * share(right[k], right + masked) + o.margin_weight * share(
            right[k], [right[k], wrong[k]]
        )

    images = [terms(z[i], t, s, int(y[i]), o.id_weight) for i in range(5)]
    drawn = [terms(v[k], s, t, k, o.outlier_weight) for k in (0, 2)]
    assert found == pytest.approx(np.mean(images) + np.mean(drawn), rel=1e-4)


def test_outliers_lie_farthest_out_on_their_side():
    generator = torch.Generator().manual_seed(0)
    own = F.normalize(torch.randn(1, 30, 6, generator=generator) + 2, dim=2)
    towards = torch.randn(1, 6, generator=generator)
    draw = boundary.Draw(neighbour=4, boundary=7, candidates=50, deviation=0.3)
    points, there = boundary.outliers(own, towards, draw, torch.Generator().manual_seed(3))
    again = torch.Generator().manual_seed(3)
    apart = torch.cdist(own[0].double(), own[0].double()).sort(1).values[:, 4]
    edge = apart.argsort(descending=True)[:7]
    chosen = edge[int(torch.randint(7, (1,), generator=again))]
    candidates = F.normalize(own[0, chosen] + 0.3 * torch.randn(50, 6, generator=again), dim=1)
    side = candidates @ towards[0] > 0
    reach = torch.cdist(candidates, own[0]).sort(1).values[:, 3]
    assert there.item() == 1
    assert 0 < side.sum() < 50
    torch.testing.assert_close(points[0], candidates[side][reach[side].argmax()])
    _, none = boundary.outliers(own, 0 * towards, draw, again)
    assert none.item() == 0


def test_queues_keep_the_latest():
    queues = boundary.Queues(2, 3, 1, CPU)
    given = {0: [], 1: []}
    draw = np.random.default_rng(0)
    for start in range(0, 60, 6):
        labels = draw.integers(0, 2, 6) if start % 12 else np.zeros(6, int)
        values = torch.arange(start, start + 6.0)[:, None]
        queues.add(values, torch.from_numpy(labels))
        for label, value in zip(labels, values, strict=True):
            given[int(label)].append(value.item())
        for label, row in enumerate(queues.rows):
            held = sorted(row[:, 0].tolist()[: len(given[label])])
            assert held == sorted(given[label][-3:])
    assert queues.are_full


def test_one_vector_of_each_context_is_disturbed():
    contexts = torch.randn(400, 5, 3, generator=torch.Generator().manual_seed(0))
    found = catex.disturbed(contexts, torch.Generator().manual_seed(1))
    changed = (found != contexts).any(2)
    assert {*changed.sum(1).tolist()} == {0, 1, 2}  # 0: swapped with itself
    swapped = changed.sum(1) == 2
    for old, new in zip(contexts[swapped], found[swapped], strict=True):
        assert {*map(tuple, old.tolist())} == {*map(tuple, new.tolist())}
    alone = changed.sum(1) == 1
    old, new = contexts[alone][changed[alone]], found[alone][changed[alone]]
    kinds = torch.stack([(new == -old).all(1), (new == 0).all(1), (new - old).norm(dim=1) < 0.1])
    assert kinds.any(0).all()
    assert kinds.any(1).all()


def test_it_learns_prompts_and_leaves_clip_alone(folder):
    run = trainer(folder, {"start": 1000}, epochs=20, lr=0.1)
    before = weights(run.model)
    history = run.run(None, lambda _: None)
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]
    assert history[-1]["accuracy"] > history[0]["accuracy"] + 0.2
    after = run.model.state_dict()
    assert {name for name in before if not torch.equal(before[name], after[name])} == {"fc.weight"}


def test_what_it_learned_is_what_the_scorer_reads(folder):
    run = trainer(folder)
    history = run.run(None, lambda _: None)
    assert [record["outliers"] > 0 for record in history] == [False, True, True, True]
    learned = {k.removeprefix("learned."): v for k, v in run.method.artifacts().items()}
    assert torch.equal(learned["text"], run.model.fc.weight)
    with torch.no_grad():
        features = run.model.eval().features(torch.rand(6, 3, 16, 16)).numpy()
    arrays = {"features": features, **{k: learned[k].numpy() for k in ("text", "ood_text")}}
    cosines, spurious = (unit(features) @ arrays[k].T for k in ("text", "ood_text"))
    gate = np.exp(cosines) / (np.exp(cosines) + np.exp(spurious))
    shares = np.exp(cosines * np.maximum(gate, 0.5))
    wanted = (shares / shares.sum(1, keepdims=True)).max(1)
    np.testing.assert_allclose(scorer.score(arrays), wanted, rtol=1e-5)


def test_a_stopped_training_goes_on_to_the_same_prompts(folder, tmp_path):
    """Stopped in the second epoch, after outliers were drawn for the next step."""
    whole = trainer(folder)
    history = whole.run(None, lambda _: None)
    resume = Resume(tmp_path, "run")
    first = trainer(folder)
    step = first.method.after

    def after(x, y, batch: Batch):
        step(x, y, batch)
        resume.asked = batch.step == 7

    first.method.after = after
    with pytest.raises(PenumbraError, match="stopped by a signal in epoch 2 after step 3 of 5"):
        first.run(resume, lambda _: None)
    second = trainer(folder)
    assert second.run(Resume(tmp_path, "run"), lambda _: None) == history
    assert equal(second.method.artifacts(), whole.method.artifacts())
    assert equal(weights(second.model), weights(whole.model))


def test_its_steps_wait_for_no_device_and_are_replayed_alike(folder, monkeypatch):
    monkeypatch.setattr(graphs, "EAGER", 10**9)
    called, replayed = trainer(folder), trainer(folder, graphs=True)
    expected = called.run(None, lambda line: None)
    monkeypatch.setattr(graphs, "EAGER", 2)
    replays = replaying(monkeypatch, replayed)
    assert replayed.run(None, lambda line: None) == expected
    assert len(replays) >= 6
    assert equal(replayed.method.artifacts(), called.method.artifacts())
    progress = called._begin(3)
    rows = list(progress.rest())
    with Watch():
        for batch in called.feeder.served((some, progress.generator) for some in rows):
            progress.finish(called.advance(batch, progress))
