"""A Ray cluster to work on: one that is there, or one of this machine's own for as long as it takes.

Ray is an extra, imported when it is asked for. It is told to be quiet: it draws nothing and sends nothing anywhere.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Final

from engine.errors import MissingExtra, UserError
from engine.text import first_line

__all__ = ["HERE", "connected", "usable_cores"]

HERE: Final = "local"
"""The address of a cluster that is started on this machine, and stopped afterwards."""

OBJECTS: Final = 512 * 2**20  # bytes that results wait in, on a cluster of our own; what is more lies on disk
SETTINGS: Final = 4  # the kind of a frame
PATIENCE_S: Final = 3.0  # until an address that nobody listens at is said to be wrong
TRIES: Final = 5  # to be let in where somebody listens, a second apart; Ray itself makes twenty


@contextmanager
def connected(address: str = HERE, *, cores: int | None = None) -> Iterator[Any]:
    """The module `ray`, connected to the cluster at this address ("auto": the one of this machine).

    One that is already connected to stays so. `cores` are what a cluster of our own has; as many as this process may
    use when not said. Raises MissingExtra without Ray, and UserError where no cluster answers.
    """
    ray = _ray(is_there=address != HERE)
    if ray.is_initialized():
        yield ray
        return
    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False, "configure_logging": False}
    if address == HERE:
        quiet |= {"num_cpus": cores or usable_cores(), "object_store_memory": OBJECTS, "include_dashboard": False}
    else:
        _check_listens(address)
    _begin(ray, address, quiet)
    try:
        yield ray
    finally:
        ray.shutdown()


def usable_cores() -> int:
    """How many processors this process may use: no more than it was given, say by a queue."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _ray(*, is_there: bool) -> Any:
    if is_there:
        os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", str(TRIES))
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # it would warn of a change to come
    try:
        import ray
    except ImportError as error:
        raise MissingExtra("ray", needed_for="working on a cluster (--ray)") from error
    logging.getLogger("ray").setLevel(logging.ERROR)  # else it warns of what is as it should be
    return ray


def _begin(ray: Any, address: str, settings: dict[str, Any]) -> None:
    try:
        with nullcontext() if address == HERE else _unheard():
            ray.init(address=address, **settings)
    except Exception as error:  # Ray raises just this when a machine is too slow, and says in its first line what it is
        ray.shutdown()
        if "AuthenticationError" in f"{error!r} {error.__cause__}":
            raise UserError(
                f"--ray {address}: the cluster wants a token: set RAY_AUTH_MODE=token, and have its token in "
                "~/.ray/auth_token or RAY_AUTH_TOKEN (`ray get-auth-token` on its head says it)"
            ) from error
        if address == "auto" and isinstance(error, ConnectionError):
            raise UserError(
                "--ray auto: no Ray cluster runs on this machine; `ray start --head` starts one, and without an "
                "address one is started here"
            ) from error
        where = "no cluster can be started on this machine" if address == HERE else "no Ray cluster can be used there"
        raise UserError(f"--ray {address}: {where}: {first_line(error)}") from error


@contextmanager
def _unheard() -> Iterator[None]:
    """Within the block standard error is nobody's: what is not written in Python says there, each second, why not."""
    kept, nobody = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nobody, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nobody)


def _check_listens(address: str) -> None:
    """Whether anybody listens: Ray itself would try for a minute."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if address == "auto":
        return
    if not (colon and host and port.isdecimal() and 0 < int(port) < 65536):
        raise UserError(f"--ray {address}: an address is HOST:PORT, as `ray start --head` says it, or auto")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE_S) as line:
            answers = "RAY_USE_TLS" in os.environ or _speaks(line)
    except OSError as error:
        raise UserError(
            f"--ray {address}: nobody listens there ({error.strerror or error}); `ray start --head` says the address, "
            "and without one a cluster is started here"
        ) from error
    if not answers:
        raise UserError(f"--ray {address}: what listens there is no Ray cluster; `ray start --head` says the address")


def _speaks(line: socket.socket) -> bool:
    """Whether HTTP/2 is spoken there, as by Ray: who does begins with a frame of its settings (RFC 9113, 3.4)."""
    try:
        line.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, SETTINGS, 0, 0, 0, 0, 0)))
        return line.recv(9)[3:4] == bytes([SETTINGS])
    except OSError:
        return False
