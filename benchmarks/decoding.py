"""Images from representations by MAGE-B at its published size: rate, and what its savings save.

The same decoding without them computes every place of every block and the logits of the whole
vocabulary. All rates are taken in one process with one thread count, in turns. Weights are random:
the speed does not depend on what they know.
"""

import statistics
from functools import partial

import torch
from torch import Tensor

from benchmarks.training import seconds
from penumbra.networks.generative.mage import Mage
from penumbra.networks.generative.vqgan import Tokenizer
from penumbra.outliers.decode import Decoding, generate

FORWARD, TOKENS_TO_PIXELS = 78.22e9, 186.5e9  # FLOP an image, 2 a multiply-add
STEPS = 20
TARGET = 0.5  # of the matmul rate


class Whole(Mage):
    """MAGE that computes everything, as published, and then looks at the unknown places."""

    def unknown_logits(
        self, tokens: Tensor, representations: Tensor, known: Tensor, unknown: Tensor
    ) -> Tensor:
        seen = torch.arange(self.length, device=tokens.device).expand(len(tokens), -1)
        latent = self.encode(self.embed(tokens, representations))
        x = self.decode(self.fill(latent, seen, tokens != self.mask_id))
        logits = self.mlm_layer(x, self.token_emb.word_embeddings.weight)[:, 1:, : self.codes]
        return logits.float().gather(1, unknown[:, :, None].expand(-1, -1, self.codes))


class Setting:
    """Networks, batch and precision of this device."""

    def __init__(self) -> None:
        gpu = torch.cuda.is_available()
        self.device = torch.device("cuda" if gpu else "cpu")
        self.precision = "bfloat16" if gpu else "float32"
        self.batch, self.pairs = (128, 5) if gpu else (1, 1)
        torch.manual_seed(0)
        self.mage, self.whole = (kind().to(self.device) for kind in (Mage, Whole))
        self.tokenizer = Tokenizer().to(self.device)
        self.whole.load_state_dict(self.mage.state_dict())
        self.representations = torch.randn(self.batch, 256, device=self.device)

    def images(self, mage: Mage, guidance: float, steps: int) -> float:
        """Seconds of one batch."""
        options = Decoding(steps, 6.0, guidance, self.precision)
        parts = (mage, self.tokenizer, self.representations, range(self.batch))
        return seconds(partial(generate, *parts, options, self.batch), self.device)

    def matmul_rate(self) -> float:
        """FLOP/s of the largest layer alone."""
        weight = self.mage.blocks[0].mlp.fc1.weight.detach()
        weight = weight.to(getattr(torch, self.precision))
        rows = max(2048, 257 * self.batch)
        x = torch.randn(rows, weight.shape[1], device=self.device).to(weight.dtype)
        times = [seconds(lambda: torch.mm(x, weight.t()), self.device) for _ in range(6)]
        return 2 * rows * weight.numel() / statistics.median(times[1:])


def measure() -> list[tuple[str, float, str]]:
    """Rows: what, value, target."""
    setting = Setting()
    what = f"MAGE-B, {STEPS} steps, batch {setting.batch}, {setting.precision}"
    for mage in (setting.mage, setting.whole):
        setting.images(mage, 1.0, 1)  # warms up
    speeds, shares, plain, guided = [], [], [], []
    for _ in range(setting.pairs):
        rate = setting.matmul_rate()
        took = setting.images(setting.mage, 0.0, STEPS)
        speeds.append(setting.batch / took)
        work = setting.batch * (STEPS * FORWARD + TOKENS_TO_PIXELS)
        shares.append(work / took / rate)
        plain.append(setting.images(setting.whole, 0.0, STEPS) / took)
        pair = [setting.images(mage, 1.0, 2) for mage in (setting.whole, setting.mage)]
        guided.append(pair[0] / pair[1])
    return [
        (f"decoded images/s ({what})", statistics.median(speeds), "reported"),
        (f"decoding over matmul, FLOP/s ({what})", statistics.median(shares), f"≥ {TARGET}"),
        ("decoding without savings over with, time", statistics.median(plain), "≥ 1.0"),
        ("the same with guidance, 2 steps", statistics.median(guided), "≥ 1.0"),
    ]


if __name__ == "__main__":
    torch.set_num_threads(1)
    for what, value, target in measure():
        print(f"{what}: {value:.3f} ({target})")
