"""What the stages share that give a scorer the network: the probe, with autograd or without."""

from contextlib import AbstractContextManager

import torch
from torch import Tensor

from penumbra.networks.inference import Reader
from penumbra.networks.probe import Probe
from penumbra.stages.shared.job import Job
from penumbra.store.artifacts import read_checkpoint


def probe_of(job: Job, reader: Reader) -> Probe:
    """The job's model as scorers see it, with what its scorer was fitted to."""
    fitted = read_checkpoint(job.input("fitted")) if "fitted" in job.inputs else {}
    on_device = {name: _placed(tensor, reader.mean) for name, tensor in fitted.items()}
    return Probe(reader.model, reader.std, reader.perturb, on_device)


def _placed(tensor: Tensor, like: Tensor) -> Tensor:
    """On the inputs' device, and in their dtype where it holds no whole numbers."""
    dtype = like.dtype if tensor.is_floating_point() else tensor.dtype
    return tensor.to(like.device, dtype)


def autograd(needs: list[str]) -> AbstractContextManager:
    """Gradients where the scorer declares that it needs them, else inference mode."""
    return torch.enable_grad() if "gradients" in needs else torch.inference_mode()
