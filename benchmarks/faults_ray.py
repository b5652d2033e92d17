"""Claim: whatever of a fleet is killed, nothing durable is asked again, nothing overspent, and the bytes are the same.

    python -m benchmarks.faults_ray worker 20         # also: node, coordinator, driver, money
    python -m benchmarks.faults_ray all 20

Ray's own cluster of three nodes on this machine, the fake provider in a process of its own, and whole runs of
`smelt generate --ray`. In each trial something is killed with SIGKILL at the so-manieth reply: a worker, all processes
of a node (another one joins later), the coordinator, or the driver, whose run another one resumes. `money` kills
workers of runs whose cap ends them on the way. Beside each stands what one process makes of the same.

Held against the provider's own books: what it billed for a trial is at most what the journal was charged, and that at
most the cap; no question has two durable answers; data and rejects are those of the undisturbed run of one process.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal, get_args

from agents.config import Configuration
from agents.pipeline import run
from agents.run_folder import RunFolder
from agents.stages import Ended
from benchmarks.apart import Fake, provider
from engine import Engine, Events
from engine.errors import BudgetReached
from engine.events import Event, ReplyReceived
from engine.journal import peek
from engine.providers.resolve import world_named

Kind = Literal["worker", "node", "coordinator", "driver", "money"]

PRICE = world_named("dates", seed=0).price
ROOT = Path(__file__).resolve().parents[1]
PROMPT = (ROOT / "agents" / "demo" / "dates" / "prompt.md").read_text(encoding="utf-8")
FILES = ("data/train.parquet", "data/validation.parquet", "data/test.parquet", "data/rejected.parquet", "spec.json")
ROWS = 150
LATENCY_S = 0.05
BUDGET = "5"
WORKERS = 3
OBJECTS = 80 * 2**20  # bytes


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one: what was killed at which reply, and everything that was wrong, if something was."""

    kind: Kind
    at_reply: int
    killed: int
    seconds: float
    billed: int
    charged: int
    wrong: tuple[str, ...]


class Nodes:
    """Ray's cluster of three nodes, some of which may be killed."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self._cluster = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 1, "object_store_memory": OBJECTS, "include_dashboard": False},
        )
        self._dead: list[Any] = []
        for _ in range(2):
            self.add()
        self.address: str = self._cluster.address

    def add(self) -> None:
        self._cluster.add_node(num_cpus=1, object_store_memory=OBJECTS)

    def kill(self, chance: Random) -> bool:
        """SIGKILL for all processes of one that is not the head, as when a machine loses its power."""
        import psutil  # type: ignore[import-untyped]

        alive = [node for node in self._cluster.worker_nodes if node not in self._dead]
        if not alive:
            return False
        node = chance.choice(sorted(alive, key=lambda each: each.unique_id))
        raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
        for process in (raylet, *raylet.children(recursive=True)):
            process.kill()
        self._dead.append(node)
        return True

    def mend(self) -> None:
        """Others in the place of those that are dead."""
        for node in self._dead:
            self._cluster.remove_node(node, allow_graceful=False)
            self.add()
        self._dead.clear()

    def close(self) -> None:
        import ray

        ray.shutdown()
        self._cluster.shutdown()


def configuration(fake: Fake, name: str, *, address: str | None, budget: str = BUDGET) -> Configuration:
    return Configuration(
        model=f"openai/{name}",
        base_url=fake.url,
        price_in=str(PRICE.input),
        price_out=str(PRICE.output),
        budget=budget,
        examples=ROWS,
        per_request=4,
        labels_per_call=1,
        train=False,
        ray=address,
        workers=None if address is None else WORKERS,
    )


def begun(path: Path, settings: Configuration) -> RunFolder:
    folder = RunFolder(path)
    folder.begin(prompt=PROMPT, configuration=settings)
    return folder


def bytes_of(folder: RunFolder) -> dict[str, bytes]:
    """What was made, without the name of the model, which each trial has of its own."""
    import pyarrow.parquet

    made = {}
    for name in FILES:
        if name.endswith(".parquet"):
            table = pyarrow.parquet.read_table(folder.path / name).to_pylist()
            made[name] = json.dumps(table, sort_keys=True, default=str).replace(folder.path.name, "NAME").encode()
        else:
            made[name] = (folder.path / name).read_bytes()
    return made


def one_trial(
    nodes: Nodes, fake: Fake, path: Path, kind: Kind, *, at_reply: int, chance: Random, alone: dict[str, bytes]
) -> Trial:
    settings = configuration(fake, path.name, address=nodes.address, budget="0.03" if kind == "money" else BUDGET)
    began = time.monotonic()
    ended: Ended[Any] | None
    if kind == "driver":
        killed = killed_driver(settings, path, seconds=0.5 + 0.25 * at_reply)
        folder = begun(path, settings)
        ended = run(folder, settings, events=Events())
    else:
        folder = begun(path, settings)
        ended, killed = disturbed(nodes, folder, settings, kind, at_reply=at_reply, chance=chance)
    nodes.mend()
    billed = sum(entry["cost"] for entry in fake.audit(since=0)["entries"] if entry["model"] == path.name)
    counts = peek(folder.journal)
    charged = sum(each.spent + each.assumed for each in counts.by_tag.values())
    wrong = []
    if not killed:
        wrong.append("nothing was killed")
    if not billed <= charged <= settings.cap.cap:  # type: ignore[union-attr]  # it has one
        wrong.append(f"billed {billed}, charged {charged}, cap {settings.budget}")
    if counts.answered_twice or counts.in_flight or folder.workers.exists():
        wrong.append(f"{counts.answered_twice} answered twice, {counts.in_flight} in flight")
    if kind != "money" and (ended is None or ended.error or bytes_of(folder) != alone):
        wrong.append("the rows are not those of the undisturbed run")
    return Trial(kind, at_reply, killed, time.monotonic() - began, billed, charged, tuple(wrong))


def disturbed(
    nodes: Nodes, folder: RunFolder, settings: Configuration, kind: Kind, *, at_reply: int, chance: Random
) -> tuple[Ended[Any] | None, int]:
    """A run in which something is killed at a reply."""
    events, engines = Events(), list[Engine]()
    replies = killed = 0

    def notice(event: Event) -> None:
        nonlocal replies, killed
        if isinstance(event, ReplyReceived) and not event.from_journal:
            replies += 1
            if replies == at_reply:
                killed += KILLS[kind](nodes, engines[0], chance)

    events.subscribe(notice)
    try:
        return run(folder, settings, events=events, on_engine=engines.append), killed
    except BudgetReached:
        return None, killed


def kill_worker(_nodes: Nodes, engine: Engine, chance: Random) -> bool:
    alive = [each for each in engine.statistics().workers if each.standing != "gone"]
    if not alive:
        return False
    os.kill(int(chance.choice(alive).node.rpartition(" ")[2].rstrip(")")), signal.SIGKILL)
    return True


def kill_node(nodes: Nodes, _engine: Engine, chance: Random) -> bool:
    return nodes.kill(chance)


def kill_coordinator(_nodes: Nodes, engine: Engine, _chance: Random) -> bool:
    import ray

    hiring: Any = engine._hiring  # type: ignore[attr-defined]  # noqa: SLF001 - a fleet's
    os.kill(ray.get(hiring._coordinator.process.remote()), signal.SIGKILL)  # noqa: SLF001
    return True


KILLS: dict[str, Callable[[Nodes, Engine, Random], bool]] = {
    "worker": kill_worker, "money": kill_worker, "node": kill_node, "coordinator": kill_coordinator,
}  # fmt: skip


def killed_driver(settings: Configuration, path: Path, *, seconds: float) -> int:
    """A process that carries the run, killed some seconds after its first worker has begun."""
    command = [sys.executable, "-m", "benchmarks.faults_ray", "carry", str(path), settings.model, str(settings.ray)]
    begin = [*command, str(settings.base_url)]
    with subprocess.Popen(begin, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as driver:
        while driver.poll() is None and not list(path.glob("workers/*/journal.db")):
            time.sleep(0.05)
        try:
            driver.wait(timeout=seconds)
            return 0
        except subprocess.TimeoutExpired:
            driver.kill()
    return 1


def carry(path: str, model: str, address: str, url: str) -> None:
    settings = configuration(Fake(url), model.partition("/")[2], address=address)
    run(begun(Path(path), settings), settings, events=Events())


def main(kind: str, points: int) -> None:
    import ray

    kinds: tuple[Kind, ...] = get_args(Kind) if kind == "all" else (kind,)
    chance, trials = Random(0), list[Trial]()
    os.environ["PYTHONPATH"] = str(ROOT)
    world = world_named("dates", seed=0)
    with tempfile.TemporaryDirectory(prefix="smelt-faults-") as place, provider(world, latency_s=LATENCY_S) as fake:
        settings = configuration(fake, "alone", address=None)
        one = begun(Path(place) / "alone", settings)
        run(one, settings, events=Events())
        alone, replies = bytes_of(one), peek(one.journal).replies
        print(f"one process: {ROWS} rows of {replies} replies")
        nodes = Nodes()
        ray.init(address=nodes.address, logging_level="ERROR", log_to_driver=False)
        try:
            for each in kinds:
                for number in range(points):
                    path, at = Path(place) / f"{each}-{number}", point_of(each, (number + 0.5) / points, replies)
                    trial = one_trial(nodes, fake, path, each, at_reply=at, chance=chance, alone=alone)
                    trials.append(trial)
                    told = " ".join(trial.wrong) or "holds"
                    print(f"{each:12} at {trial.at_reply:4}  {trial.seconds:5.1f} s  {told}", flush=True)
        finally:
            nodes.close()
    tell(kinds, trials)


def point_of(kind: Kind, part: float, replies: int) -> int:
    """At which reply somebody dies, so far into a run; of a driver, after how many quarters of a second."""
    return max(1, round(part * {"driver": 10, "money": replies / 2}.get(kind, replies)))


def tell(kinds: tuple[Kind, ...], trials: list[Trial]) -> None:
    figures = {}
    for kind in kinds:
        mine = [trial for trial in trials if trial.kind == kind]
        figures[kind] = {
            "trials": len(mine),
            "killed": sum(trial.killed for trial in mine),
            "wrong": sum(bool(trial.wrong) for trial in mine),
            "assumed_share": round(1 - sum(t.billed for t in mine) / max(1, sum(t.charged for t in mine)), 4),
            "seconds": round(sum(trial.seconds for trial in mine), 1),
        }
        print(f"{kind:12} {figures[kind]}")
    print(json.dumps({"benchmark": "faults_ray", "rows": ROWS, "workers": WORKERS, **figures}))
    raise SystemExit(any(trial.wrong for trial in trials))


if __name__ == "__main__":
    if sys.argv[1] == "carry":
        carry(*sys.argv[2:6])
    else:
        main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 20)
