"""The command line ``mall``: one group a module."""

from __future__ import annotations

import gc
import sys

import click
import orjson
from pydantic import ValidationError

from app.cli.context import Mall
from app.factory import DemoAccounts
from kernel.errors import Problem


def main() -> None:
    """Entry of the console script: clear messages, exit 0 done, 1 refused, 2 wrong use."""
    # All that is imported lives for ever: a full collection would walk it for a fifth of a second,
    # in the middle of a transaction perhaps.
    gc.freeze()
    try:
        # Outside of its stand-alone mode click returns the code of a command's Exit.
        code = mall.main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as wrong:
        wrong.show()
        sys.exit(2)
    except click.Abort:
        click.echo("已停止；已提交的部分保留，再次运行会继续。", err=True)
        sys.exit(1)
    except ValidationError as wrong:
        for error in wrong.errors():
            name = "MALL_" + "_".join(str(part) for part in error["loc"]).upper()
            click.echo(f"{name.rstrip('_')}: {error['msg']}", err=True)
        sys.exit(2)
    except DemoAccounts as wrong:
        click.echo(str(wrong), err=True)
        sys.exit(2)
    except Problem as problem:
        if "--json" in sys.argv:
            click.echo(orjson.dumps(problem.to_dict()).decode())
        click.echo(f"{problem.code}: {problem.detail}", err=True)
        sys.exit(1)


mall = Mall("mall", help="福满 Fuman: run and look after the marketplace.")

# The modules add their commands to the group above.
from app.cli import bench, books, data, outbox, reconcile, serve, system  # noqa: E402

__all__ = ["bench", "books", "data", "main", "mall", "outbox", "reconcile", "serve", "system"]
