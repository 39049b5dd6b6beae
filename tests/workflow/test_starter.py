"""The process that jobs are forked from: a job is what `python -m` would have made of it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from penumbra.calls import starter

STARTER = Path(__file__).resolve().parents[2] / "workflow/starter"
MODULE = """
import os, signal, sys, time
from made import number
print("out", sys.argv[1:], os.getcwd(), os.environ["WORD"], number.VALUE, flush=True)
print("err", file=sys.stderr)
open("job", "w").write(str(os.getpid()))
loaded = sorted({"colorsys", "made.stage", "made.number"} & set(sys.modules))
print(loaded, __name__, flush=True)
kind = sys.argv[1]
if kind == "fail":
    raise ValueError("no such luck")
if kind == "three":
    sys.exit(3)
if kind == "stop":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to stop"))
if kind in ("stop", "wait"):
    open("waits", "w").close()
    time.sleep(60)
"""


class Served:
    """A server, and jobs that clients ask of it, in a folder of their own."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "made").mkdir()
        (folder / "made/__init__.py").touch()
        (folder / "made/stage.py").write_text(MODULE)
        self.number(1)
        (folder / "sockets").mkdir()
        self.socket = str(folder / "sockets/s")
        imported = json.dumps({"made.stage": ["colorsys", "no.such.module"]})
        self.server = subprocess.Popen(
            [sys.executable, STARTER / "server.py", self.socket], stdin=subprocess.PIPE
        )
        self.server.stdin.write(imported.encode() + b"\n")
        self.server.stdin.flush()
        until(lambda: Path(self.socket).exists())

    def number(self, value):
        file = self.folder / "made/number.py"
        file.write_text(f"VALUE = {value}\n")
        os.utime(file, (value, value))  # Python's cache knows a file by its second and its size

    def start(self, *arguments):
        return subprocess.Popen(
            [
                sys.executable, "-I", "-S", STARTER / "client.py", self.socket,
                "-m", "made.stage", *arguments,
            ],
            cwd=self.folder,
            env={"PYTHONPATH": str(self.folder), "WORD": "ghost"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip

    def run(self, *arguments):
        process = self.start(*arguments)
        out, err = process.communicate(timeout=30)
        return process.returncode, out, err

    def waiting(self, *arguments):
        """A client whose job sleeps, and the process of the job."""
        process = self.start(*arguments)
        until((self.folder / "waits").exists)
        return process, int((self.folder / "job").read_text())


def until(there, seconds=30):
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end
        time.sleep(0.01)


def gone(process):
    state = Path(f"/proc/{process}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.fixture
def served(tmp_path):
    made = Served(tmp_path)
    yield made
    made.server.stdin.close()
    made.server.wait(timeout=30)
    assert not Path(made.socket).parent.exists()


def test_a_job_has_its_own_streams_folder_environment_and_arguments(served):
    code, out, err = served.run("well", "a b", "ü")
    assert code == 0
    assert out.splitlines()[0] == f"out ['well', 'a b', 'ü'] {served.folder} ghost 1"
    assert err == "err\n"


def test_what_others_wrote_is_imported_once_and_the_projects_own_by_each_job(served):
    _, out, _ = served.run("well")
    assert out.splitlines()[1] == "['colorsys', 'made.number'] __main__"
    served.number(2)
    _, out, _ = served.run("well")
    assert out.splitlines()[0].endswith("ghost 2")


def test_a_job_ends_as_it_would_by_itself(served):
    assert served.run("three")[0] == 3
    code, _, err = served.run("fail")
    assert code == 1
    assert "ValueError: no such luck" in err


def test_a_client_hands_on_what_it_is_told_to_stop_with(served):
    process, _ = served.waiting("stop")
    process.terminate()
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert err.endswith("told to stop\n")


def test_a_client_dies_by_the_signal_that_its_job_died_by(served):
    process, job = served.waiting("wait")
    os.kill(job, signal.SIGKILL)
    assert process.wait(timeout=30) == -signal.SIGKILL


def test_a_job_does_not_outlive_its_client(served):
    process, job = served.waiting("wait")
    process.kill()
    process.wait()
    until(lambda: gone(job))
    assert served.run("well")[0] == 0


def test_a_connection_that_sends_nothing_holds_up_no_other_for_long(served):
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(served.socket)
        assert served.run("well")[0] == 0


def test_a_job_whose_reader_is_gone_ends_alone(served):
    """Its last words cannot be written; the other jobs and the server's folder stay."""
    process, job = served.waiting("wait")
    reader = served.start("well")
    reader.stdout.close()
    reader.stderr.close()
    assert reader.wait(timeout=30) != 0
    assert process.poll() is None
    assert not gone(job)
    assert Path(served.socket).exists()
    process.kill()


def test_a_call_ends_although_its_server_is_stopped(tmp_path):
    code = (
        "import subprocess, sys; from penumbra.calls import starter; starter.PATIENCE = 1;"
        "server = subprocess.Popen(['sleep', '60'], stdin=subprocess.PIPE);"
        "server.send_signal(19); starter._stop(server, sys.argv[1]); print(server.wait())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "left")],
        env={**os.environ, "PYTHONPATH": str(STARTER.parent)},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "-9"


def test_nothing_outlives_the_call(tmp_path):
    served = Served(tmp_path)
    process, job = served.waiting("wait")
    served.server.stdin.close()
    served.server.wait(timeout=30)
    _, err = process.communicate(timeout=30)
    until(lambda: gone(job))
    assert process.returncode == 1
    assert "has ended before this job; call snakemake again" in err
    code, _, err = served.run("well")
    assert code == 1
    assert "nothing starts jobs at" in err


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
def test_no_job_outlives_a_server_that_is_killed(tmp_path):
    served = Served(tmp_path)
    process, job = served.waiting("wait")
    served.server.kill()
    served.server.wait()
    until(lambda: gone(job))
    assert process.wait(timeout=30) == 1
    served.server.stdin.close()


def test_what_stages_import_is_known_and_none_of_it_is_ours():
    imported = starter._imported()
    assert "torch" in imported["penumbra.stages.models"]
    assert "torch" not in imported["penumbra.stages.metrics"]
    assert "pyarrow.parquet" in imported["penumbra.stages.metrics"]
    named = {name for names in imported.values() for name in names}
    assert not {name for name in named if name.startswith("penumbra")}
    # A function of `parts` imports a module of ours that needs it.
    assert not {name for name in named if name.startswith("diffusers")}


def test_jobs_of_a_call_are_forked_unless_they_take_several_threads(tmp_path):
    """`starter` asks the server only where there is one and the job has one thread."""
    client = tmp_path / "client.py"
    client.write_text("import sys; print('asked', *sys.argv[1:])")
    (tmp_path / "stage.py").write_text("import sys; print('run', *sys.argv[1:])")
    shown = f"{starter.PREFIX.format()} starter python -m stage 'a b'"
    for environment, said in (
        ({}, "run a b"),
        ({starter.SOCKET: "/s", "OMP_NUM_THREADS": "1"}, "asked /s -m stage a b"),
        ({starter.SOCKET: "/s", "OMP_NUM_THREADS": "2"}, "run a b"),
    ):
        given = {
            "PATH": str(Path(sys.executable).parent),
            "PYTHONPATH": str(tmp_path),
            f"{starter.SOCKET}_CLIENT": str(client),
        }
        done = subprocess.run(
            ["/bin/bash", "-c", shown], env=given | environment, capture_output=True, text=True
        )
        assert done.stdout.strip() == said, done.stderr
