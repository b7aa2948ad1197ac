"""The processes of the mall, and ``mall up`` that runs them together."""

from __future__ import annotations

import sys

import click

from app.cli import mall
from app.cli.context import json_option
from app.factory import create_app
from app.serving import serve
from app.supervisor import Supervisor
from kernel.celery_worker import run_celery_worker
from kernel.processes import keep_loaded, when_stopped
from kernel.settings import get_settings
from kernel.worker import Worker, WorkerRuns, alone

# A worker that was killed leaves the folder to the next one once its processes are gone, too.
_PATIENCE_SECONDS = 10.0


@mall.command("web")
@click.option("--port", type=click.IntRange(0, 65535), default=None)
def web_command(port: int | None) -> None:
    """The web server: one process with threads, or several that share a port."""
    settings = get_settings()
    serve(settings, port=settings.port if port is None else port)


@mall.command("worker")
def worker_command() -> None:
    """The worker: lanes of tasks and scheduled jobs; with a broker relay and consumers."""
    settings = get_settings()
    try:
        with alone(settings.data_dir, patience=_PATIENCE_SECONDS):
            if settings.broker_url:
                sys.exit(run_celery_worker(create_app))
            worker = Worker(create_app())
            when_stopped(worker.stop)
            keep_loaded()
            worker.run()
    except WorkerRuns:
        click.echo("另一个 worker 正在使用这个数据目录", err=True)
        sys.exit(1)


@mall.command("up")
@json_option
def up_command(as_json: bool) -> None:
    """Database, demo world, then web, worker and sandbox gateway, until Ctrl-C."""
    sys.exit(Supervisor(get_settings(), quiet=as_json).run())
