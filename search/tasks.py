"""Work of the index lane: news by product, rebuild steps, and the list of suggestions.

A rebuild is many short tasks, each of which asks for the next: news of changes is handled
between them, and a killed worker goes on where it was.
"""

from datetime import timedelta

from kernel import outbox, schedule
from kernel.db import write_transaction
from kernel.tasks import task
from search import indexing
from search.engines.base import EngineUnavailable, IndexBusy
from search.engines.choice import get_engine

REBUILD_WANTED = "search.rebuild_wanted"
REBUILD_GOES_ON = "search.rebuild_goes_on"


@task("search.index_products", lane="index", merges="product_ids")
def index_products(product_ids: list[int]) -> None:
    """Listens to ``shop.products_changed``."""
    indexing.index_products(get_engine(), product_ids)


@task("search.index_seller", lane="index")
def index_seller(merchant_id: int) -> None:
    """Listens to ``shop.seller_changed``."""
    indexing.index_seller(get_engine(), merchant_id)


@task("search.rebuild", lane="index")
def rebuild() -> None:
    """Listens to ``search.rebuild_wanted``; a rebuild under way is continued."""
    indexing.begin_rebuild(get_engine())
    _ask_for_next_step()


@task("search.rebuild_step", lane="index")
def rebuild_step() -> None:
    """Listens to ``search.rebuild_goes_on``."""
    engine = get_engine()
    if engine.rebuild_state() is None:
        # A second chain of steps, or a step that was run twice: the swap is done.
        return
    try:
        step = indexing.rebuild_step(engine)
    except LookupError:
        # Another process has just finished it.
        return
    except IndexBusy:
        if not engine.may_write():
            raise
        # Another process was quicker with this batch, and goes on with the next.
        return
    if not step.generation:
        _ask_for_next_step()


def _ask_for_next_step() -> None:
    with write_transaction():
        outbox.emit(REBUILD_GOES_ON)


def ask_for_rebuild() -> None:
    """Tell the worker to rebuild; call it inside a write transaction."""
    outbox.emit(REBUILD_WANTED)


@schedule.job("search.suggestions", every=timedelta(minutes=1))
def refresh_suggestions() -> int:
    """Make the list of suggestions anew when the index has changed since it was made."""
    try:
        state = get_engine().state()
    except EngineUnavailable:
        return 0
    if not state or state == indexing.suggestion_file().current().made_of:
        return 0
    indexing.write_suggestions()
    return 1
