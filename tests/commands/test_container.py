"""The Containerfile, as far as it can be held without a program that builds images."""

import re
import shutil
import subprocess
import sys
import zipfile


def steps(root):
    """Instructions with their arguments; comments left out, continued lines joined."""
    lines = [line for line in (root / "Containerfile").read_text().splitlines() if line[:1] != "#"]
    text = "\n".join(lines).replace("\\\n", " ")
    return [(line.split()[0], line.split()[1:]) for line in text.splitlines() if line.strip()]


def test_it_names_no_registry_and_checks_every_hash(root):
    made = steps(root)
    assert made[:2] == [("ARG", ["BASE"]), ("FROM", ["${BASE}"])]
    assert made[-1] == ("ENTRYPOINT", ['["penumbra"]'])
    runs = " ".join(" ".join(words) for step, words in made if step == "RUN")
    installs = re.findall(r"pip install .*?(?=&&|$| /opt/venv/bin/uv)", runs)
    assert len(installs) == 3
    assert all("--require-hashes" in each for each in installs[:2])
    assert "--no-deps --no-build-isolation ." in installs[2]
    assert "://" not in (root / "Containerfile").read_text()


def test_what_it_copies_makes_the_same_wheel(root, tmp_path):
    """Built of those files alone."""
    for words in (words for step, words in steps(root) if step == "COPY"):
        *sources, target = words
        for source in map(root.__truediv__, sources):
            place = tmp_path / "copied" / target
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, place, ignore=ignored)
            else:
                place.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, place)
    names = []
    for folder in (root, tmp_path / "copied"):
        flags = ("-t", "wheel", "-d", tmp_path / folder.name)
        command = [sys.executable, "-m", "hatchling", "build", *map(str, flags)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        (made,) = (tmp_path / folder.name).glob("*.whl")
        names.append(sorted(zipfile.ZipFile(made).namelist()))
    assert names[0] == names[1]
