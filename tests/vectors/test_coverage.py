"""No expected file of the scores' vectors goes without a test."""

from fnmatch import fnmatch

HERE = {
    "test_scores": ("msp", "energy_T*", "fn_blocks_stempad*", "ccfn"),
    "test_array_scores": (
        *("maxlogit", "temp_scaling", "react_p*", "dice_p*", "scale_p*"),
        *("mahalanobis", "rmds", "ssd", "knn_*", "vim_dim*", "otod", "nan", "gradnorm"),
        *("dml_plus", "clip_mcm_catex"),
    ),
    "test_network_scores": (
        *("odin_T*", "pro_*", "godin", "adascale_*", "mahalanobis_noise*", "rankfeat", "rfw"),
        *("nac_*", "ccfn_vit"),
    ),
}


def test_every_expected_file_is_compared(folder):
    names = [path.stem for path in (folder / "expected").glob("*.npz")]
    patterns = [pattern for listed in HERE.values() for pattern in listed]
    assert names
    assert not [name for name in names if not any(fnmatch(name, p) for p in patterns)]


def test_the_tests_name_those_files(root):
    for module, patterns in HERE.items():
        source = (root / f"tests/vectors/{module}.py").read_text()
        for pattern in patterns:
            assert pattern.split("*")[0].rstrip("_") in source, f"{module}: {pattern}"
