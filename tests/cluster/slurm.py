"""A throw-away Slurm cluster of virtual nodes on this machine, without systemd, accounting database or cgroups."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = (
    "munged",
    "munge",
    "unmunge",
    "slurmctld",
    "slurmd",
    "sbatch",
    "srun",
    "squeue",
    "scancel",
    "scontrol",
    "sinfo",
)
# The plugin drops every SLURM_ variable, SLURM_CONF too, before a job calls srun, which then looks here.
BUILT_IN = Path("/etc/slurm/slurm.conf")
WAIT_SECONDS = 30


@dataclass(frozen=True)
class Finished:
    """A job that is over, as the controller recorded it."""

    job: str
    state: str
    nodes: str
    partition: str
    account: str
    cpus: int


@dataclass(frozen=True)
class Cluster:
    """A running cluster; every command needs ``environment``."""

    folder: Path
    nodes: tuple[str, ...]

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment variables that lead commands to this cluster."""
        return {"SLURM_CONF": str(self.folder / "slurm.conf")}

    def tell(self, *command: str) -> str:
        """Run a Slurm command and return what it printed."""
        process = subprocess.run(
            command, env={**os.environ, **self.environment}, capture_output=True, text=True, timeout=60, check=True
        )
        return process.stdout

    def running(self) -> list[str]:
        """Return the numbers of the jobs that wait or run."""
        return self.tell("squeue", "--noheader", "--format=%A").split()

    def cancel_all(self) -> None:
        """Cancel every job and wait until they are gone."""
        if jobs := self.running():
            self.tell("scancel", *jobs)
        wait_for("cancelled jobs to go", lambda: not self.running())

    def finished(self) -> list[Finished]:
        """Return all jobs that are over, the first first."""
        path = self.folder / "finished.txt"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        told = [dict(part.split("=", 1) for part in line.split() if "=" in part) for line in lines]
        return [
            Finished(
                *(one["JobId"], one["JobState"], one.get("NodeList", "")),
                *(one["Partition"], one.get("Account", ""), int(one["ProcCnt"])),
            )
            for one in told
        ]

    def set_node(self, node: str, state: str) -> None:
        """Set a node down, or resume it."""
        self.tell("scontrol", "update", f"NodeName={node}", f"State={state}", "Reason=test")


def missing_programs() -> list[str]:
    """Return the programs that the cluster needs and this machine lacks."""
    path = f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin{os.pathsep}/sbin"
    return [program for program in PROGRAMS if shutil.which(program, path=path) is None]


def wait_for(what: str, done: Callable[[], object], seconds: float = WAIT_SECONDS) -> None:
    """Wait until something is so; raises TimeoutError with its name."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds:g} s in vain for {what}")
        time.sleep(0.1)


@contextmanager
def built_in(configuration: Path) -> Iterator[None]:
    """Lay the configuration where Slurm was built to look for one; waits for whoever does the same on this machine."""
    BUILT_IN.parent.mkdir(exist_ok=True)
    with (BUILT_IN.parent / "throw-away.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if BUILT_IN.exists() and not BUILT_IN.is_symlink():
            raise RuntimeError(f"this machine has a Slurm of its own: {BUILT_IN}")
        # A link that a killed test run left behind leads nowhere useful.
        BUILT_IN.unlink(missing_ok=True)
        BUILT_IN.symlink_to(configuration)
        try:
            yield
        finally:
            BUILT_IN.unlink(missing_ok=True)


@contextmanager
def start_cluster(folder: Path, nodes: int, cpus: int, memory: int) -> Iterator[Cluster]:
    """Start a cluster of virtual nodes, each with ``cpus`` and ``memory`` (MB), and stop it in the end.

    Needs to be root, and no Slurm of this machine's own at ``/etc/slurm/slurm.conf``; raises RuntimeError otherwise.
    """
    if os.geteuid() != 0:
        raise RuntimeError("Slurm's daemons need to be started by root")
    names = tuple(f"node{number}" for number in range(1, nodes + 1))
    cluster = Cluster(folder, names)
    for name in ("log", "state", "spool", "munge"):
        (folder / name).mkdir(parents=True, mode=0o700 if name == "munge" else 0o755)
    key = folder / "munge" / "key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o400)
    (folder / "slurm.conf").write_text(_configuration(folder, names, cpus, memory), encoding="utf-8")
    daemons: list[subprocess.Popen[bytes]] = []
    with built_in(folder / "slurm.conf"):
        try:
            _start_munge(folder, key, daemons)
            _start(cluster, ["slurmctld", "-D"], "slurmctld", daemons)
            wait_for("slurmctld", lambda: "UP" in _quietly(cluster, "scontrol", "ping"))
            for name in names:
                (folder / "spool" / name).mkdir()
                _start(cluster, ["slurmd", "-D", "-N", name], name, daemons)
            wait_for(
                "nodes", lambda: _quietly(cluster, "sinfo", "-hN", "-p", "main", "-o", "%t").split() == ["idle"] * nodes
            )
            yield cluster
            cluster.cancel_all()
        finally:
            for daemon in reversed(daemons):
                _stop(daemon)


def _stop(daemon: subprocess.Popen[bytes]) -> None:
    daemon.terminate()
    try:
        daemon.wait(timeout=20)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def _start_munge(folder: Path, key: Path, daemons: list[subprocess.Popen[bytes]]) -> None:
    """Start munge with a key and a socket of our own, so that the machine's stays as it is."""
    socket_path = folder / "munge.sock"
    files = {"key-file": key, "socket": socket_path, "pid-file": folder / "munge" / "pid"}
    files |= {"seed-file": folder / "munge" / "seed", "log-file": folder / "log" / "munged.log"}
    command = [_path("munged"), "--foreground", "--force", *(f"--{name}={path}" for name, path in files.items())]
    with (folder / "log" / "munged.out").open("wb") as log:
        daemons.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT))
    wait_for("munged", lambda: subprocess.run(["munge", "-n", "-S", socket_path], capture_output=True).returncode == 0)


def _start(cluster: Cluster, command: list[str], name: str, daemons: list[subprocess.Popen[bytes]]) -> None:
    with (cluster.folder / "log" / f"{name}.out").open("wb") as log:
        environment = {**os.environ, **cluster.environment}
        process = subprocess.Popen(
            [_path(command[0]), *command[1:]], env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    daemons.append(process)


def _quietly(cluster: Cluster, *command: str) -> str:
    """Return what a command prints, nothing while it fails."""
    try:
        return cluster.tell(*command)
    except subprocess.SubprocessError:
        return ""


def _path(program: str) -> str:
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin") or program


def _free_ports(number: int) -> list[int]:
    held = [socket.socket() for _ in range(number)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


def _configuration(folder: Path, names: tuple[str, ...], cpus: int, memory: int) -> str:
    controller, *ports = _free_ports(1 + len(names))
    nodes = "\n".join(
        f"NodeName={name} NodeHostname={name} NodeAddr=127.0.0.1 Port={port} CPUs={cpus} RealMemory={memory}"
        for name, port in zip(names, ports, strict=True)
    )
    return f"""\
ClusterName=test
SlurmctldHost={socket.gethostname().split(".")[0]}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
CryptoType=crypto/munge
MpiDefault=none
# A container often has no writable cgroups: processes are known by their group, memory is looked at every second.
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
# What the configuration says of a node holds, not what the machine has.
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=defer,batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1
# A node that was set down stays down until it is resumed.
ReturnToService=0
MinJobAge=300
InactiveLimit=0
KillWait=2
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/finished.txt
SlurmctldPidFile={folder}/slurmctld.pid
StateSaveLocation={folder}/state
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmdSpoolDir={folder}/spool/%n
{nodes}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
PartitionName=night Nodes=ALL MaxTime=INFINITE State=UP
"""
