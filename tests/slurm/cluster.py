"""A real Slurm cluster on one machine, inside one folder, for the tests of the Slurm profile.

Every daemon has its own key, sockets, ports and state in that folder and is found through
`Cluster.environment` alone; nothing of an installed cluster is read or changed. Partition `cpu`
(the default) has the nodes n1 and n2, `gpu` has g1 with one pretended GPU, and jobs in `scavenge`,
on all three, give way to those: SIGTERM to their steps, some 20 seconds later SIGKILL. Needs Linux,
neither systemd nor cgroups.
"""

import contextlib
import ctypes
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

INSTALL = "apt-get install -y slurm-wlm munge slurmdbd mariadb-server"
DAEMONS = ("munged", "mariadbd", "slurmdbd", "slurmctld", "slurmd")
COMMANDS = ("mariadb-install-db", "sacctmgr", "sacct", "sbatch", "scancel", "scontrol", "sinfo")
COMMANDS += ("squeue", "srun")

SLOW = 240  # seconds that a busy machine may take for what is a matter of two or three

USER = pwd.getpwuid(os.getuid()).pw_name
CPU_NODES = ("n1", "n2")
GPU_NODE = "g1"
NODES = (*CPU_NODES, GPU_NODE)
FIELDS = ("JobID", "JobName", "Comment", "Partition", "Account", "State", "Reason", "ExitCode")
FIELDS += ("DerivedExitCode", "ReqTRES", "AllocTRES", "AllocNodes", "NodeList", "ReqMem")
FIELDS += ("Timelimit", "Elapsed", "Submit", "Start", "End", "SubmitLine", "WorkDir")
ENDED = ("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL")
ENDED += ("OUT_OF_MEMORY", "PREEMPTED", "TIMEOUT")

# What a job of an outer cluster would hand down.
OUTER = ("SLURM_", "SBATCH_", "SRUN_", "SACCT_", "SQUEUE_", "SINFO_", "SCANCEL_")

# Memory is polled, for want of cgroups. A requeued job waits for the end of its old credential.
SLURM_CONF = """
ClusterName=penumbra
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[slurmctld]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=10
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmdLogFile={folder}/logs/%n.steps.log
MailProg=/bin/true
PlugStackConfig={folder}/plugstack.conf

ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={ports[slurmdbd]}
AccountingStoragePass=socket={folder}/munge.socket
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment

SchedulerParameters=sched_interval=1,batch_sched_delay=0,bf_interval=1
JobRequeue=1
KillWait=15
OverTimeLimit=0
SlurmdTimeout=30
ReturnToService=2
SlurmdParameters=config_overrides
PreemptType=preempt/partition_prio
PreemptMode=CANCEL

NodeName=DEFAULT CPUs=4 RealMemory=32000
NodeName=n1 NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[n1]}
NodeName=n2 NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[n2]}
NodeName=g1 NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[g1]} Gres=gpu:test:1
PartitionName=DEFAULT DefaultTime=30 DefMemPerCPU=1000 State=UP
PartitionName=cpu Nodes=n1,n2 Default=YES PriorityTier=10 PreemptMode=OFF
PartitionName=gpu Nodes=g1 PriorityTier=10 PreemptMode=OFF
PartitionName=scavenge Nodes=n1,n2,g1 PriorityTier=1 PreemptMode=CANCEL GraceTime=60
"""

SLURMDBD_CONF = """
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={ports[slurmdbd]}
SlurmUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser={user}
StorageLoc=slurm
"""

# The executor's job step drops every SLURM_ variable before it calls srun, SLURM_CONF too.
SRUN = """#!/bin/sh
export SLURM_CONF={folder}/slurm.conf
exec {srun} "$@"
"""


class ClusterError(Exception):
    """The cluster did not do what it should; the text says which log to read."""


def missing() -> list[str]:
    """The needed programs that are not installed."""
    return [name for name in (*DAEMONS, *COMMANDS) if program(name) is None]


def program(name: str) -> str | None:
    """Where a program lies; daemons are outside an ordinary user's PATH."""
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


class Daemon:
    """One process in the foreground, with a log, and all that descends from it."""

    def __init__(self, name: str, command: list[str], folder: Path, environment: dict[str, str]):
        self.name = name
        self.log = folder / "logs" / f"{name}.log"
        self._command = [sys.executable, "-I", __file__, program(command[0]), *command[1:]]
        self._environment = environment
        self._process = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self, seconds: float = 20) -> None:
        """End it with SIGTERM, so that it saves its state, and what it leaves with SIGKILL."""
        if self.running():
            self._process.terminate()
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """SIGKILL to the daemon and to everything below it."""
        deadline = time.monotonic() + 10
        # The supervisor ends by itself, once it has nothing below it.
        while self.running() and time.monotonic() < deadline:
            for pid in descendants(self._process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)
        if self.running():
            raise ClusterError(f"{self.name} does not end, even by SIGKILL.\n{self.tail()}")

    def tail(self, lines: int = 30) -> str:
        """Where the log lies and how it ends."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join([f"The end of {self.log}:", *text.splitlines()[-lines:]])


class Cluster:
    """A Slurm cluster in `folder`, up inside a `with` block and gone after it.

    `environment` is what a subprocess needs to find it; `folder/logs` holds a log per daemon, and
    `NODE.steps.log` what the job steps of a node said.
    """

    def __init__(self, folder: Path):
        if absent := missing():
            raise ClusterError(f"{', '.join(absent)} not installed; {INSTALL}")
        self.folder = Path(folder).resolve()
        if len(str(self.folder)) > 70:
            raise ClusterError(f"{self.folder} is too long for the paths of sockets in it")
        self._ports = dict(zip(("slurmctld", "slurmdbd", *NODES), free_ports(5), strict=True))
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(OUTER)}
        self.environment = {
            **inherited,
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
        }
        self._daemons = {daemon.name: daemon for daemon in self._described()}

    def __enter__(self) -> "Cluster":
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        """Kill all; nodes first, because their jobs are below them."""
        with contextlib.ExitStack() as stack:
            for daemon in self._daemons.values():
                stack.callback(daemon.kill)

    def run(self, *command: str, check: bool = True, seconds: float = SLOW, **options):
        """Run a command on the cluster; an exit code other than 0 raises, with its output."""
        options = {"env": self.environment, "cwd": self.folder, **options}
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=seconds, check=False, **options
            )
        except subprocess.TimeoutExpired as error:
            raise self._error(f"{command} took longer than {seconds} s", "slurmctld") from error
        if check and done.returncode != 0:
            raise self._error(f"{command} failed:\n{done.stdout}{done.stderr}", "slurmctld")
        return done

    def submit(self, script: str, *options: str) -> str:
        """Submit a shell script; returns its job id. Output goes to `folder/ID.out`."""
        return self.run(
            "sbatch", "--parsable", "--output=%j.out", *options, input=f"#!/bin/sh\n{script}\n"
        ).stdout.strip()

    def output(self, job: str) -> str:
        """What a job submitted by `submit` has printed."""
        path = self.folder / f"{job}.out"
        return path.read_text() if path.exists() else ""

    def jobs(self, *selection: str) -> list[dict[str, str]]:
        """What sacct tells of every job, the oldest first: a dictionary of FIELDS for each.

        Slurm's accounts are up to 5 seconds late. `selection` holds options of sacct, such as
        "--duplicates" for a row each time that Slurm started a job.
        """
        switches = ["--allusers", "--allocations", "--parsable2", "--noheader"]
        table = self.run(
            "sacct", *switches, "--starttime=2000-01-01", f"--format={','.join(FIELDS)}", *selection
        ).stdout.splitlines()
        return [dict(zip(FIELDS, line.split("|"), strict=True)) for line in table]

    def job(self, job: str) -> dict[str, str]:
        """One job's row; empty where the accounts do not know the job yet."""
        return dict(*self.jobs(f"--jobs={job}"))

    def cancel(self, job: str) -> None:
        """Cancel a job, as its user would."""
        self.run("scancel", job)

    def wait_for_end(self, job: str, seconds: float = SLOW) -> dict[str, str]:
        """Wait until a job has ended; returns its row."""

        def ended():
            row = self.job(job)
            # Of a short job the accounts know the end some seconds before the rest.
            return row.get("Partition") and row["State"].split()[0] in ENDED and row

        return self.wait(ended, f"the end of job {job}", "slurmctld", seconds)

    def wait_for_start(self, job: str, seconds: float = SLOW) -> None:
        """Wait until a job runs."""

        def runs():
            found = self.run("squeue", "--noheader", f"--jobs={job}", "--format=%T")
            return found.stdout == "RUNNING\n"

        self.wait(runs, f"job {job} to run", "slurmctld", seconds)

    def wait_for_node(self, name: str, *states: str, seconds: float = SLOW) -> None:
        """Wait until the controller sees a node in one of the states, such as "down"."""
        self.wait(lambda: self.node_state(name) in states, f"{name} to be {states}", name, seconds)

    def node_state(self, name: str) -> str:
        """A node's state without the marks that sinfo adds to it."""
        found = self.run("sinfo", "--noheader", f"--nodes={name}", "--format=%T", check=False)
        return found.stdout.split("\n")[0].rstrip("*~#!%$@^-")

    def wait(self, condition, what: str, daemon: str, seconds: float = SLOW):
        """Wait until `condition()` is true and return it; a time-out shows the daemon's log."""
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            if time.monotonic() > deadline:
                raise self._error(f"Waited {seconds} s in vain for {what}", daemon)
            time.sleep(0.1)
        return found

    def kill_node(self, name: str, *, told: bool = True) -> None:
        """Kill a node's daemon and its jobs at once, as a power cut would.

        The controller is told. Not told, it finds out by itself, which takes some 45 seconds.
        """
        self._daemons[name].kill()
        if told:
            self.run("scontrol", "update", f"NodeName={name}", "State=DOWN", "Reason=killed")

    def start_node(self, name: str) -> None:
        """Start a node and wait until it takes jobs."""
        self._daemons[name].start()
        self._up(name, lambda: self.node_state(name) in ("idle", "mixed", "allocated"))

    def stop_controller(self) -> None:
        """Stop the controller; it saves its state and jobs go on."""
        self._daemons["slurmctld"].stop()

    def start_controller(self) -> None:
        """Start the controller and wait until it answers."""
        self._daemons["slurmctld"].start()
        self._up("slurmctld", lambda: self.run("scontrol", "ping", check=False).returncode == 0)

    def _described(self):
        """The daemons, in the order of their start."""
        in_folder = {**self.environment, "MYSQL_UNIX_PORT": str(self.folder / "database.socket")}
        for name, command in {
            "munged": self._munged(),
            "mariadbd": self._mariadbd(),
            "slurmdbd": ["slurmdbd", "-D"],
            "slurmctld": ["slurmctld", "-D"],
            **{node: ["slurmd", "-D", "-N", node] for node in NODES},
        }.items():
            yield Daemon(name, command, self.folder, in_folder)

    def _munged(self) -> list[str]:
        files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log"}
        files["seed-file"] = "seed"
        paths = [f"--{option}={self.folder}/munge.{suffix}" for option, suffix in files.items()]
        # Root, and a folder below one that others may write to, are refused otherwise.
        return ["munged", "--foreground", "--force", *paths]

    def _mariadbd(self) -> list[str]:
        # A database of a few rows that nobody needs after a crash.
        return [
            "mariadbd", "--no-defaults", f"--user={USER}", "--skip-networking",
            f"--datadir={self.folder}/database", f"--socket={self.folder}/database.socket",
            f"--pid-file={self.folder}/database.pid", f"--tmpdir={self.folder}",
            "--innodb-buffer-pool-size=16M", "--innodb-log-file-size=4M",
            "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--key-buffer-size=1M",
            "--innodb-lock-wait-timeout=900", "--skip-grant-tables",
        ]  # fmt: skip

    def _start(self) -> None:
        self._write_files()
        self._daemons["munged"].start()
        self._install_database()
        self._daemons["mariadbd"].start()
        self._up("munged", lambda: answers(self.folder / "munge.socket"))
        self._up("mariadbd", lambda: answers(self.folder / "database.socket"))
        self._daemons["slurmdbd"].start()
        self._up("slurmdbd", lambda: answers(("127.0.0.1", self._ports["slurmdbd"])))
        self._register()
        self.start_controller()
        for name in NODES:
            self._daemons[name].start()
        for name in NODES:
            self._up(name, lambda name=name: self.node_state(name) == "idle")

    def _write_files(self) -> None:
        # Whoever can read the key or reach the database's socket is whom he likes on the cluster.
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        for name in ("bin", "database", "logs", "state", *(f"spool/{node}" for node in NODES)):
            (self.folder / name).mkdir(parents=True)
        values = {
            "folder": self.folder,
            "host": socket.gethostname().split(".")[0],
            "ports": self._ports,
            "srun": program("srun"),
            "user": USER,
        }
        self._write("slurm.conf", SLURM_CONF.format(**values))
        self._write("slurmdbd.conf", SLURMDBD_CONF.format(**values))
        self._write("gres.conf", f"NodeName={GPU_NODE} Name=gpu Type=test File=/dev/null\n")
        self._write("plugstack.conf", "")
        self._write("bin/srun", SRUN.format(**values), 0o700)
        self._write("munge.key", os.urandom(512).hex())

    def _write(self, name: str, text: str, mode: int = 0o600) -> None:
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(mode)

    def _install_database(self) -> None:
        self.run(
            program("mariadb-install-db"), "--no-defaults", f"--user={USER}",
            f"--datadir={self.folder}/database", "--skip-test-db",
            "--auth-root-authentication-method=normal", "--innodb-log-file-size=4M",
        )  # fmt: skip

    def _register(self) -> None:
        for names in (
            ["cluster", "penumbra"],
            ["account", "tests", "cluster=penumbra"],
            ["user", USER, "account=tests"],
        ):
            self.run("sacctmgr", "--immediate", "add", *names)

    def _up(self, name: str, condition) -> None:
        """Wait until a daemon that was started works."""
        daemon = self._daemons[name]

        def works():
            if not daemon.running():
                raise ClusterError(f"{name} has ended.\n{daemon.tail()}")
            return condition()

        self.wait(works, f"{name} to work", name)

    def _error(self, problem: str, daemon: str) -> ClusterError:
        return ClusterError(f"{problem}.\n{self._daemons[daemon].tail()}")


def supervise(command: list[str]) -> None:
    """Run a command, and wait for all that it leaves behind.

    A job step detaches itself from its node's daemon. Here it comes to this process, as every
    orphan below it (PR_SET_CHILD_SUBREAPER): killing the node finds it, and no zombie stays.
    """
    system = ctypes.CDLL(None)
    system.prctl(36, 1, 0, 0, 0)
    signal.signal(signal.SIGUSR1, lambda *_: end_all())
    system.prctl(1, signal.SIGUSR1, 0, 0, 0)  # PR_SET_PDEATHSIG: the tests were killed
    daemon = subprocess.Popen(command)
    signal.signal(signal.SIGTERM, lambda *_: daemon.terminate())
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def end_all() -> None:
    """Kill what is below this process, and end it."""
    for pid in descendants(os.getpid()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    os._exit(1)


def descendants(ancestor: int) -> list[int]:
    """The processes below one, without those that have ended and wait for their parent."""
    children = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name, in brackets, may hold spaces and brackets itself.
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(int(parent), []).append((int(path.parent.name), state))
    found, unseen = [], [ancestor]
    while unseen:
        for pid, state in children.get(unseen.pop(), []):
            unseen.append(pid)
            found += [] if state == "Z" else [pid]
    return found


def answers(address) -> bool:
    """Whether something listens at a socket's path or at a (host, port)."""
    family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
    with socket.socket(family) as client:
        return client.connect_ex(address if isinstance(address, tuple) else str(address)) == 0


def free_ports(count: int) -> list[int]:
    """Free ports below those that outgoing connections take, so that a restart finds them free."""
    found = []
    while len(found) < count:
        port = random.randrange(10000, 32000)
        with socket.socket() as server:
            if port not in found and server.connect_ex(("127.0.0.1", port)) != 0:
                found.append(port)
    return found


if __name__ == "__main__":
    supervise(sys.argv[1:])
