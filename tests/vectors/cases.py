"""Cases of the networks' conformance vectors: a file of tensors and its side file each."""

import json
import re

import pytest
import torch
from safetensors.torch import load_file

from penumbra.networks.loading import official


class Case:
    """Inputs, weights and expected outputs of one file; all outputs must be checked in the end."""

    def __init__(self, path):
        self.folder, self.name = path.parent, path.stem
        self.side = json.loads(path.with_suffix(".json").read_text())
        self.config, self.tolerance = self.side["config"], self.side["tolerance"]
        parts = {"in": {}, "w": {}, "out": {}}
        for key, tensor in load_file(path).items():
            kind, name = key.split("/", 1)
            parts[kind][name] = tensor
        self.inputs, self.weights, self.wanted = parts.values()
        self.unchecked = set(self.wanted)

    def vectors(self, name):
        """An input (..., C, 1, 1) as (..., C)."""
        return self.inputs[name].flatten(-3)

    def checkpoint(self, stem, kind):
        """The state dict of the container `<stem>_checkpoint.pth*` in the folder."""
        (path,) = self.folder.glob(f"{stem}_checkpoint.pth*")
        return official.read(path, kind)

    def check(self, name, found):
        """Compare with an output by its rule; what is (..., 1, 1) there may be found without."""
        wanted, rule = self.wanted[name], self.tolerance[name]
        if wanted.shape == (*found.shape, 1, 1):
            found = found[..., None, None]
        assert found.shape == wanted.shape, name
        if rule == "exact":
            assert found.dtype == wanted.dtype, name
            assert torch.equal(found, wanted), name
        elif "max_abs_diff" in rule:
            assert found.dtype == wanted.dtype, name
            apart = (found.int() - wanted.int()).abs()
            assert apart.max() <= rule["max_abs_diff"], name
            assert (apart > 0).float().mean() <= rule["max_fraction_different"], name
        else:
            runs_in = getattr(torch, re.match(r"\w+", rule["dtype_to_run"])[0])
            assert found.dtype in (runs_in, wanted.dtype), name  # some are cast in the end
            torch.testing.assert_close(
                found.double(),
                wanted.double(),
                atol=rule["atol"],
                rtol=rule["rtol"],
                msg=lambda text: f"{self.name}, {name}: {text}",
            )
        self.unchecked.discard(name)


def cases(request, pattern):
    """Each case whose name matches, after which all its outputs must have been checked."""
    folder = request.config.getoption("--vectors") / "networks"
    paths = sorted(folder.glob(f"{pattern}.safetensors"))
    if not paths:
        pytest.skip(f"no conformance vectors {pattern} in {folder}; name their folder by --vectors")
    for path in paths:
        case = Case(path)
        yield case
        assert not case.unchecked, f"{case.name}: unchecked {sorted(case.unchecked)}"
