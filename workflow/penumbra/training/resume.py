"""The state of a run after its last finished epoch, outside the outputs that Snakemake removes."""

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from penumbra.files import atomic
from penumbra.training.method import Method
from penumbra.training.sgd import Sgd

Record = dict[str, float]


class Resume:
    """Saves and restores model, momentum and method; one file per run identity.

    The identity names all that decides the run's bytes, so a state is never taken up by another
    run; an unreadable file is no state.
    """

    def __init__(self, folder: Path, identity: str):
        self.path = folder / f"{identity}.safetensors"

    def save(
        self,
        model: nn.Module,
        optimiser: Sgd,
        method: Method,
        history: list[Record],
    ) -> None:
        """Replace the saved state by that after `len(history)` epochs."""
        tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
        tensors |= {f"method.{k}": v for k, v in method.state().items()}
        for i, momentum in enumerate(optimiser.momentum):
            if momentum is not None:
                tensors[f"momentum.{i}"] = momentum
        self.write(tensors, history)

    def load(self, model: nn.Module, optimiser: Sgd, method: Method) -> list[Record]:
        """Restore a saved state and give its history; an empty history where there is none."""
        tensors, history = self.read()
        if not tensors:
            return []
        model.load_state_dict(_under("model.", tensors))
        method.restore(_under("method.", tensors))
        for i, momentum in _under("momentum.", tensors).items():
            optimiser.momentum[int(i)] = momentum.to(optimiser.parameters[int(i)].device)
        return history

    def write(self, tensors: dict[str, Tensor], history: list[Record]) -> None:
        """Replace the saved state by these tensors, those after `len(history)` epochs."""
        tensors = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
        with atomic(self.path) as temporary:
            save_file(tensors, temporary, metadata={"history": json.dumps(history)})

    def read(self) -> tuple[dict[str, Tensor], list[Record]]:
        """The saved tensors and history; both empty where there is no state."""
        try:
            with safe_open(self.path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                return tensors, json.loads(file.metadata()["history"])
        except (FileNotFoundError, SafetensorError):
            return {}, []

    def discard(self) -> None:
        """Remove the state of a run that has ended."""
        self.path.unlink(missing_ok=True)


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
