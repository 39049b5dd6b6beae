"""The units of the GPU benchmark: rates, checks, training, scoring, synthesis at published sizes.

Floors are FLOP over the matrix rate, or bytes over the bandwidth, that the same device was measured
at; weights are random, since speed does not depend on what they know. Counts of FLOP take 2 a
multiply-add, of matrix products and convolutions alone.
"""

import statistics
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import feeding, guidance, training
from benchmarks.training import seconds
from penumbra.machine import cores
from penumbra.networks.backbones import resnet
from penumbra.networks.generative.mage import Mage
from penumbra.networks.generative.moco import MoCo
from penumbra.networks.generative.rdm import Rdm
from penumbra.networks.generative.vqgan import Tokenizer
from penumbra.networks.graphs import side_stream
from penumbra.networks.inference import Reader
from penumbra.outliers.decode import Decoding, generate
from penumbra.outliers.guidance import Guidance
from penumbra.outliers.trajectory import Sampler
from penumbra.training.classifiers import trainer
from penumbra.training.loop import Trainer
from penumbra.training.method import Batch
from penumbra.training.methods.uat import Universal

COMPARED = ("relative", "cosine")
RATE, BANDWIDTH = "matrix products in bfloat16", "copies on the device"
EPOCHS = 200
MAGE_L, PIXELS = 217.77e9, 186.5e9  # FLOP of a forward pass, and of an image from its tokens


@dataclass(frozen=True)
class Row:
    """One number, with the least that the device's rates allow, where there is such a thing."""

    what: str
    value: float
    unit: str
    floor: float | None = None
    target: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is; None where there is none."""
        sign, _, bound = self.target.partition(" ")
        if sign not in ("≤", "≥"):
            return None
        return self.value <= float(bound) if sign == "≤" else self.value >= float(bound)

    @property
    def is_wrong(self) -> bool:
        """Whether it compares numbers with the CPU's, and they differ by more than they may."""
        return self.met is False and self.unit in COMPARED

    def line(self) -> str:
        """Its line of the table."""
        floor = "" if self.floor is None else f"{self.floor:.4g}"
        share = "" if self.floor is None else f"{100 * self.floor / self.value:.0f} %"
        met = {None: "", True: "yes", False: "no"}[self.met]
        cells = (self.what, f"{self.value:.4g}", self.unit, floor, share, self.target, met)
        return f"| {' | '.join(cells)} |"


Known = Mapping[str, float]


@dataclass(frozen=True)
class Unit:
    """What is measured, and the minutes that it may take on a GPU."""

    measure: Callable[["Scale", Known], list[Row]]
    minutes: float


class Scale:
    """Published sizes on a GPU; on a CPU sizes that only show that a unit runs."""

    def __init__(self, device: torch.device):
        self.device = device
        self.full = device.type == "cuda"
        self.lowered = torch.bfloat16 if self.full else torch.float32
        sizes = training.Sizes()
        sizes.device, sizes.pairs = device, 3
        if not self.full:
            sizes.width, sizes.batch, sizes.images = 16, 8, 64
            sizes.precision = "float32"
        self.sizes = sizes

    def encoder(self) -> MoCo:
        """MoCo-v3's ViT-L with its projector, or a small one."""
        full = {"width": 1024, "depth": 24, "heads": 16, "hidden": 4096, "image_size": 224}
        small = {"width": 32, "depth": 1, "heads": 2, "hidden": 64, "image_size": 32}
        torch.manual_seed(0)
        sizes = full if self.full else small
        projector = 4096 if self.full else 32
        model = MoCo(**sizes, patch=16, projector=projector, representation=256)
        return model.eval()

    def rdm(self) -> Rdm:
        """The unconditional RDM at its published size, or a small one."""
        sizes = {} if self.full else {"width": 32, "time": 16, "blocks": 2, "bottleneck": 32}
        return guidance.published(torch.device("cpu"), **sizes)

    def mage(self) -> tuple[Mage, Tokenizer]:
        """MAGE-L and the tokenizer, or small ones."""
        torch.manual_seed(0)
        if self.full:
            mage = Mage(width=1024, depth=24, heads=16, decoder_width=1024)
            return mage.eval(), Tokenizer().eval()
        small = {"width": 32, "depth": 1, "heads": 2, "decoder_width": 32, "decoder_depth": 1}
        mage = Mage(**small, decoder_heads=2, codes=16, side=4)
        return mage.eval(), Tokenizer(8, [1, 1], 1, codes=16, code_width=8).eval()


def forward_flop(model: nn.Module, x: Tensor) -> float:
    """FLOP of one forward pass."""
    with FlopCounterMode(display=False) as counted, torch.no_grad():
        model(x)
    return float(counted.get_total_flops())


def forward_bytes(model: nn.Module, x: Tensor, width: int) -> float:
    """Bytes that convolutions and linear layers read and write once, numbers of `width` bytes."""
    moved = 0

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal moved
        moved += inputs[0].numel() + output.numel() + module.weight.numel()  # type: ignore[operator]

    layers = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    with torch.no_grad():
        model(x)
    for hook in hooks:
        hook.remove()
    return float(moved * width)


def floor(known: Known, flop: float, moved: float = 0.0) -> float:
    """Seconds below which the device's own rates do not let it get."""
    return max(flop / (1e12 * known[RATE]), moved / (1e9 * known[BANDWIDTH]))


def rates(scale: Scale, known: Known) -> list[Row]:
    """The device's own rates, which the floors are made of."""
    side, size = (8192, 2**30) if scale.full else (256, 2**20)
    a, b = (torch.randn(side, side, device=scale.device).to(scale.lowered) for _ in range(2))
    source = torch.zeros(size, dtype=torch.uint8, device=scale.device)
    target = torch.empty_like(source)

    def median(work: Callable[[], object]) -> float:
        return statistics.median([seconds(work, scale.device) for _ in range(20)][5:])

    multiplied = median(lambda: a @ b)
    copied = median(lambda: target.copy_(source))
    return [
        Row(RATE, 2 * side**3 / multiplied / 1e12, "TFLOP/s"),
        Row(BANDWIDTH, 2 * size / copied / 1e9, "GB/s"),
    ]


def stepped(scale: Scale, device: torch.device, precision: str, graphs: bool) -> list[float]:
    """Losses of ten steps on batches that are the same everywhere, UAT among them."""
    sizes = training.Sizes()
    vars(sizes).update(vars(scale.sizes) | {"device": device, "precision": precision})
    sizes.images = 2 * sizes.batch
    trainer = training.make(sizes, uat=True, graphs=graphs, tau=4)
    drawn = torch.Generator().manual_seed(0)
    x = torch.randn(sizes.batch, 3, 32, 32, generator=drawn)
    x = x.to(device, memory_format=torch.channels_last)
    y = (torch.arange(sizes.batch) % 10).to(device)
    trainer.model.train()
    trainer.optimiser.set_rate(0.01)
    assert isinstance(trainer.method, Universal)
    trainer.method.delta.zero_()  # a draw of its own on each kind of device
    trainer.method.map.zero_()
    with side_stream(device):
        losses = [trainer.step(x, y, Batch(0, i, i))[0] for i in range(10)]
    return torch.stack(losses).tolist()


def furthest(first: list[float], second: list[float]) -> float:
    """Largest relative difference."""
    return max(abs(a - b) / abs(b) for a, b in zip(first, second, strict=True))


def checks(scale: Scale, known: Known) -> list[Row]:
    """Ten training steps of UAT here and on the CPU, called and replayed."""
    cpu = stepped(scale, torch.device("cpu"), "float32", False)
    full = stepped(scale, scale.device, "float32", False)
    rows = [Row("loss in float32, from the CPU's", furthest(full, cpu), "relative", None, "≤ 1e-3")]
    if scale.full:
        called = stepped(scale, scale.device, "bfloat16", False)
        replayed = stepped(scale, scale.device, "bfloat16", True)
        rows += [
            Row(
                "loss in bfloat16, from the CPU's",
                furthest(called, cpu),
                "relative",
                None,
                "≤ 0.05",
            ),
            Row("loss replayed, from called", furthest(replayed, called), "relative", None, "≤ 0"),
        ]
    return rows


def trained(scale: Scale, known: Known, graphs: bool, compiled: bool) -> list[Row]:
    """Minutes of 200 epochs of standard training, and UAT's share more, epochs in turns."""
    how = f"{'replayed' if graphs else 'called'}{', compiled' if compiled else ''}"
    options = {"graphs": graphs and scale.full, "compiled": compiled and scale.full}
    plain = training.make(scale.sizes, **options)
    fast = training.make(scale.sizes, uat=True, **options)
    thorough = training.make(scale.sizes, uat=True, steps=10, step_size=0.2, **options)
    runs: list[Trainer] = [plain, fast, thorough]
    with side_stream(scale.device):
        for run in runs:
            run.epoch(0)
        times = [
            [seconds(lambda run=run, i=i: run.epoch(i + 1), scale.device) for run in runs]
            for i in range(scale.sizes.pairs)
        ]
    epoch = statistics.median(t[0] for t in times)
    x = torch.zeros(2, 3, 32, 32, device=scale.device)
    images, model = scale.sizes.images, plain.model.eval()
    flop = 3 * images * forward_flop(model, x) / len(x)
    moved = 3 * images * forward_bytes(model, x, 2) / len(x)
    least = floor(known, flop, moved)
    what = f"{scale.sizes.images} images, batch {scale.sizes.batch}, width {scale.sizes.width}"
    rows = [
        Row(
            f"ResNet-18, {EPOCHS} epochs of {what}, {how}",
            EPOCHS * epoch / 60, "minutes", EPOCHS * least / 60, "≤ 6",
        )
    ]  # fmt: skip
    for place, steps in ((1, 3), (2, 10)):
        ratio = statistics.median(t[place] / t[0] for t in times)
        target = "≤ 1.08" if steps == 3 else "reported"
        rows.append(Row(f"UAT, K = {steps}, over standard, {how}", ratio, "times", None, target))
    return rows


def scored(scale: Scale, known: Known) -> list[Row]:
    """Outputs of a classifier, images on the host as a job has them."""
    count, batch = (50_000, 1000) if scale.full else (64, 16)
    pixels = np.random.default_rng(0).integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)
    rows = []
    for lowered in (False, True) if scale.full else (False,):
        model = resnet.build(10, 18, scale.sizes.width, "fn")
        reader = Reader(
            model, training.HALF, None, batch, scale.device, channels_last=True, lowered=lowered
        )
        reader.outputs(pixels)
        took = statistics.median(
            seconds(partial(reader.outputs, pixels), scale.device) for _ in range(3)
        )
        flop = count * forward_flop(reader.model, torch.zeros(1, 3, 32, 32, device=scale.device))
        what = f"outputs of {count} images, {'bfloat16' if lowered else 'float32'}"
        rows.append(Row(what, 1000 * took, "ms", 1000 * floor(known, flop) if lowered else None))
    return rows


def compared(found: Tensor, wanted: Tensor) -> float:
    """The smallest cosine of rows with those of the CPU in float32."""
    pair = (t.detach().float().cpu().flatten(1) for t in (found, wanted))
    return torch.cosine_similarity(*pair).min().item()


def represented(scale: Scale, known: Known) -> list[Row]:
    """ViT-L features of images that lie on the device."""
    batch = 256 if scale.full else 4
    encoder = scale.encoder()
    pixels = torch.randint(
        0, 256, (batch, 3, encoder.image_size, encoder.image_size), dtype=torch.uint8
    )
    with torch.inference_mode():
        wanted = encoder.represent(encoder.inputs(pixels[:2]))
        flop = batch * forward_flop(encoder, encoder.inputs(pixels[:1]))
        encoder, pixels = encoder.to(scale.device), pixels.to(scale.device)

        def once() -> Tensor:
            with torch.autocast(scale.device.type, torch.bfloat16, enabled=scale.full):
                return encoder.represent(encoder.inputs(pixels))

        found = once()
        took = statistics.median(seconds(once, scale.device) for _ in range(5))
    per = 100 / batch
    return [
        Row(f"MoCo-v3 ViT-L features, batch {batch}, of 100", 1000 * took * per, "ms",
            1000 * floor(known, flop) * per, "≤ 35"),
        Row("the same, from the CPU's", compared(found[:2], wanted), "cosine", None, "≥ 0.99"),
    ]  # fmt: skip


def guided(scale: Scale, known: Known) -> list[Row]:
    """Guided sampling of 76 steps: on the device alone, and with the draws of a whole call."""
    rdm = scale.rdm()
    recipe = Guidance(0.05)
    z = torch.randn(4, rdm.sizes[0], generator=torch.Generator().manual_seed(0))
    wanted = Sampler(rdm, recipe).estimate()(z, 125)
    sampler = Sampler(rdm.to(scale.device), recipe, scale.lowered, graphs=scale.full)
    found = sampler.estimate()(z.to(scale.device), 125)
    rows = [
        Row("RDM's estimate, from the CPU's", compared(found, wanted), "cosine", None, "≥ 0.99")
    ]
    flop = 3 * guidance.STEPS * guidance.forward_flop(sampler.denoiser)
    for batch, target in ((100, "≤ 60"), (2048, "≤ 10")) if scale.full else ((4, ""),):
        anchors = torch.randn(batch, rdm.sizes[0], device=scale.device)
        drawn = sampler._drawn(range(batch))
        with side_stream(scale.device):
            for _ in range(5):
                sampler.whole(anchors, drawn)
            times = [
                seconds(lambda: sampler.whole(anchors, drawn), scale.device)  # noqa: B023
                for _ in range(5)
            ]
        drawing = seconds(lambda: sampler._drawn(range(batch)), scale.device)  # noqa: B023
        per = 1e5 / batch
        rows += [
            Row(f"guided embeddings, batch {batch}, of 100", statistics.median(times) * per, "ms",
                floor(known, batch * flop) * per, target),
            Row(f"their draws on {torch.get_num_threads()} threads", drawing * per, "ms"),
        ]  # fmt: skip
    return rows


def decoded(scale: Scale, known: Known, weight: float) -> list[Row]:
    """Images by MAGE-L in 20 steps, with the tokenizer."""
    batch = 128 if scale.full else 2
    mage, tokenizer = scale.mage()
    given = torch.randn(batch, 256, generator=torch.Generator().manual_seed(0))
    tokens = torch.full((1, mage.length), mage.mask_id)
    tokens[:, ::2] = 3
    places = torch.arange(mage.length)[None]
    rows = []
    with torch.inference_mode():
        asked = (places[:, ::2], places[:, 1::2])
        wanted = mage.unknown_logits(tokens, given[:1], *asked)
        mage, tokenizer, given = (x.to(scale.device) for x in (mage, tokenizer, given))
        with torch.autocast(scale.device.type, torch.bfloat16, enabled=scale.full):
            on_device = (x.to(scale.device) for x in (tokens, given[:1], *asked))
            found = mage.unknown_logits(*on_device)
    if not weight:
        rows.append(
            Row(
                "MAGE-L's logits, from the CPU's", compared(found, wanted), "cosine", None, "≥ 0.99"
            )
        )
    precision = "bfloat16" if scale.full else "float32"
    options = Decoding(20 if scale.full else 2, 11.0, weight, precision)

    def once() -> np.ndarray:
        return generate(mage, tokenizer, given, range(batch), options, batch)

    once()
    took = statistics.median(seconds(once, scale.device) for _ in range(3))
    flop = (20 * MAGE_L * (2 if weight else 1) + PIXELS) * batch
    what = f"MAGE-L, 20 steps{', guided' if weight else ''}, and tokenizer, batch {batch}, of 100"
    per = 100 / batch
    target = "≤ 2.5" if weight else "≤ 1.3"
    return [
        *rows,
        Row(what, took * per, "s", floor(known, flop) * per if scale.full else None, target),
    ]


def streamed(scale: Scale, known: Known) -> list[Row]:
    """ResNet-50 on crops of JPEGs that threads decode; and the batches beside those of a CPU."""
    count, batch, size, width = (5120, 128, 224, 64) if scale.full else (12, 4, 32, 4)
    recipe = {
        "name": "standard", "method": "standard", "options": {}, "epochs": 3, "batch_size": batch,
        "lr": 0.01, "momentum": 0.9, "nesterov": False, "weight_decay": 1e-3,
        "precision": "bfloat16" if scale.full else "float32",
        "schedule": {"kind": "multistep", "milestones": [0.5], "gamma": 0.1},
        "augment": {"flip": True, "crop_padding": 0, "crop_scale": feeding.SCALE},
    }  # fmt: skip
    config = {
        "backbone": {"network": "resnet", "layers": 50, "width": width, "stem": "imagenet"},
        "recipe": recipe, "normalisation": feeding.IMAGENET, "channels_last": scale.full,
        "compile": False, "graphs": scale.full, "threads": cores(),
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        files = feeding.write(Path(folder), min(count, feeding.FILES))
        images = feeding.listed([files[i % len(files)] for i in range(count)], size)
        runs = [trainer(config, images, None, 0, d) for d in (scale.device, torch.device("cpu"))]
        rows = [(torch.arange(batch) + i * batch, i) for i in range(3)]
        ours, theirs = (
            [x.cpu() for x, _ in run.feeder.served(
                (some, torch.Generator().manual_seed(i)) for some, i in rows
            )]
            for run in runs
        )  # fmt: skip
        apart = max(
            float((a - b).abs().max() / b.abs().max()) for a, b in zip(ours, theirs, strict=True)
        )
        if scale.full:
            torch.cuda.reset_peak_memory_stats()
        with side_stream(scale.device):
            runs[0].epoch(0)
            took = seconds(lambda: runs[0].epoch(1), scale.device)
        for run in runs:
            run.close()
    x = torch.zeros(2, 3, size, size, device=scale.device)
    flop = 3 * 1000 * forward_flop(runs[0].model.eval(), x) / len(x)
    peak = torch.cuda.max_memory_allocated() if scale.full else 0.0
    return [
        Row("streamed batches, from the CPU's", apart, "relative", None, "≤ 1e-6"),
        Row(f"ResNet-50 on JPEGs that {cores()} threads decode, of 1,000", 1000 * took / count, "s",
            floor(known, flop)),
        Row("memory of the device while it trains, at most", peak / 1e9, "GB"),
    ]  # fmt: skip


UNITS = {
    "rates": Unit(rates, 0.5),
    "checks": Unit(checks, 1.5),
    "training, called": Unit(lambda s, k: trained(s, k, False, False), 3),
    "training, replayed": Unit(lambda s, k: trained(s, k, True, False), 2.5),
    "training, compiled": Unit(lambda s, k: trained(s, k, True, True), 4),
    "streaming": Unit(streamed, 2),
    "scoring": Unit(scored, 1),
    "features": Unit(represented, 1.5),
    "guidance": Unit(guided, 1.5),
    "decoding": Unit(lambda s, k: decoded(s, k, 0.0), 2),
    "decoding, guided": Unit(lambda s, k: decoded(s, k, 1.0), 2),
}
