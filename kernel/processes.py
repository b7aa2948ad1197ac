"""A group of processes forked from one that has loaded the product.

One that ends by itself is started again; one that a fault point ended takes the group with it, as
a power cut would. Whoever is killed takes its children with it, so nothing is ever left running.
"""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from types import FrameType

import structlog

from kernel.faults import FAULT_EXIT

log = structlog.get_logger(__name__)

_PR_SET_PDEATHSIG = 1
_LOOK_SECONDS = 0.2
_AGAIN_SECONDS = 0.5
_MOST_STARTS = 10
_PER_SECONDS = 60.0
_forking = multiprocessing.get_context("fork")


def keep_loaded() -> None:
    """What is loaded now lives for ever: the collector need not walk it, which takes a fifth of a
    second, in the middle of a request; and it stays shared with processes forked from here."""
    gc.collect()
    gc.freeze()


def die_with_parent(number: int = signal.SIGTERM) -> None:
    """Ask the kernel for a signal when the parent is gone, however it went."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)


def when_stopped(stop: Callable[[], None]) -> None:
    """Call ``stop`` on SIGTERM and on Ctrl-C."""

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)


@dataclass
class Member:
    """One process of a group: what it runs, which returns its exit code."""

    name: str
    run: Callable[[], int]
    process: ForkProcess | None = None
    starts: list[float] = field(default_factory=list)
    again_at: float = 0.0


class ProcessGroup:
    def __init__(
        self,
        members: Sequence[Member],
        *,
        grace_seconds: float = 8.0,
        again_seconds: float = _AGAIN_SECONDS,
    ) -> None:
        self._members = list(members)
        self._grace_seconds = grace_seconds
        self._again_seconds = again_seconds
        self._stopping = False

    def run(self) -> int:
        """Blocks until SIGTERM or Ctrl-C: 0; 86 after a fault point, 1 where one cannot live."""
        when_stopped(self._on_stop)
        keep_loaded()
        try:
            for member in self._members:
                self._start(member)
            return self._watch()
        finally:
            self._stop_all()

    def _on_stop(self) -> None:
        self._stopping = True

    def _start(self, member: Member) -> None:
        member.starts.append(time.monotonic())
        member.process = _forking.Process(
            target=_be_member, args=(member, os.getpid()), name=member.name
        )
        member.process.start()

    def _watch(self) -> int:
        while not self._stopping:
            wait(
                [m.process.sentinel for m in self._members if m.process is not None], _LOOK_SECONDS
            )
            for member in self._members:
                code = self._look_at(member)
                if code is not None:
                    return code
        return 0

    def _look_at(self, member: Member) -> int | None:
        """Start a member again that has ended. An exit code where the group must end, too."""
        now = time.monotonic()
        if member.process is None:
            if now >= member.again_at:
                self._start(member)
            return None
        code = member.process.exitcode
        if code is None:
            return None
        member.process.close()
        member.process = None
        if self._stopping:
            return None
        if code == FAULT_EXIT:
            return FAULT_EXIT
        log.error("process_ended", process=member.name, code=code)
        if len([t for t in member.starts if now - t < _PER_SECONDS]) >= _MOST_STARTS:
            log.error("process_cannot_live", process=member.name)
            return 1
        member.again_at = now + self._again_seconds
        return None

    def _stop_all(self) -> None:
        running = [m.process for m in self._members if m.process is not None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + self._grace_seconds
        for process in running:
            process.join(max(0.1, deadline - time.monotonic()))
            if process.exitcode is None:
                process.kill()
                process.join()


def _be_member(member: Member, parent: int) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # Ctrl-C at a terminal reaches every process; the parent tells us when it is time.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent(signal.SIGKILL)
    if os.getppid() != parent:
        return
    sys.exit(member.run())
