"""Real processes on the test's own database file, each with an application of its own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from typing import TypeVar

from app.factory import create_app
from kernel.db import db

A = TypeVar("A")
R = TypeVar("R")

# Forked, so that the product is imported once; no connection is open while it happens.
_fork = multiprocessing.get_context("fork")


def run_together(work: Callable[[A], R], arguments: Sequence[A], *, timeout: float = 60) -> list[R]:
    """``work(argument)`` for each argument, in a process each, all begun at once.

    Call it inside an application context of the test's database; every process makes its own
    application on the same data folder. A process that fails, fails the test.
    """
    db.session.remove()
    for engine in db.engines.values():
        engine.dispose()
    together = _fork.Barrier(len(arguments))
    running = []
    for argument in arguments:
        mine, theirs = _fork.Pipe()
        process = _fork.Process(target=_child, args=(work, argument, together, theirs))
        process.start()
        theirs.close()
        running.append((process, mine))
    try:
        told = []
        for _, pipe in running:
            assert pipe.poll(timeout), "a process did not come to an end"
            told.append(pipe.recv())  # EOFError: the process failed
        return told
    finally:
        for process, pipe in running:
            process.join(5)
            if process.is_alive():
                process.kill()
                process.join()
            pipe.close()


def _child(work: Callable[[A], R], argument: A, together: Barrier, pipe: Connection) -> None:
    # What goes wrong here ends the process, with its trace on standard error.
    with create_app().app_context():
        together.wait(30)
        pipe.send(work(argument))
