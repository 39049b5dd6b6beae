"""Nothing is loaded that could run code, and no shell is given a text."""

import ast

import pytest

CALLS = {
    "eval", "exec", "os.system", "os.popen", "pickle.load", "pickle.loads", "pickle.Unpickler",
    "yaml.full_load", "yaml.unsafe_load", "joblib.load",
    "extractall", "unpack_archive", "shutil.unpack_archive",
}  # fmt: skip


def calls(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), {k.arg: ast.unparse(k.value) for k in node.keywords}


def complaints(text):
    for name, options in calls(ast.parse(text)):
        if name in CALLS or name.rpartition(".")[2] == "extractall":
            yield name
        if options.get("shell", "False") != "False" or options.get("allow_pickle") == "True":
            yield name
        if name == "torch.load" and options.get("weights_only") != "True":
            yield name
        if name == "yaml.load" and "Safe" not in options.get("Loader", ""):
            yield name


def test_no_module_loads_what_could_run_code(root):
    files = [*root.glob("workflow/**/*.py"), *root.glob("benchmarks/*.py")]
    assert len(files) > 150
    found = {str(file): list(complaints(file.read_text())) for file in files}
    assert {file: names for file, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "text",
    [
        "torch.load(path)",
        "yaml.load(text, Loader=yaml.Loader)",
        "pickle.load(file)",
        "archive.extractall(folder)",
        "subprocess.run(command, shell=True)",
    ],
)
def test_the_check_sees_what_it_should(text):
    assert list(complaints(text))


def test_every_rule_quotes_what_it_gives_the_shell(root):
    """Each place that Snakemake fills in a command ends in :q."""
    import re

    seen = 0
    for file in root.glob("workflow/rules/*.smk"):
        for command in re.findall(r"\n +shell:\n((?: +\".*\"\n)+)", file.read_text()):
            for name, quoted in re.findall(r"(?<!{){([a-z_.]+)(:q)?}", command):
                seen += 1
                assert quoted == ":q", f"{file.name}: {name}"
    assert seen > 100
