"""The indexes of an Elasticsearch engine: generations, two aliases, and how far a rebuild came.

``{namespace}-listings-4-g000007`` is a generation of form 4. The alias ``{namespace}-live-4``
stands for the live one and ``{namespace}-building-4`` for one that is being built; both move in
one step.
Everything is written and read by alias, so that no process keeps the name of an index. A template
forbids that an index is made of what is written to an alias that was just moved away: asking for an
alias does not hold for deletions. How far
a rebuild came is one document in ``{namespace}-rebuild``, replaced only by who has read its last
state: of two processes that rebuild at once, one is turned away.
"""

from dataclasses import asdict, dataclass
from typing import Any

from elasticsearch import BadRequestError, ConflictError, Elasticsearch, NotFoundError

from search.engines.base import FORMAT, IndexBusy, RebuildState
from search.engines.elasticsearch_mapping import build_mapping, build_settings
from search.engines.elasticsearch_server import ElasticsearchServer, error_kind

_TEMPLATE_PRIORITY = 500
_STATE_ID = "state"
_FORGET_SECONDS = 30
_STATE_MAPPING = {"dynamic": False}
# Every write asks for a refresh itself; this is for what a killed writer left.
_LIVE_SETTINGS = {
    "index.refresh_interval": "30s",
    "index.translog.durability": "request",
    "index.auto_expand_replicas": "0-1",
}
_BUILDING_SETTINGS = {"refresh_interval": "-1", "translog.durability": "async"}


@dataclass(frozen=True, slots=True)
class Indexes:
    """The generations that exist, what the aliases stand for (empty: nothing), and indexes of an
    older form."""

    live: str
    building: str
    names: tuple[str, ...]
    older: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HeldState:
    """The state of a rebuild, and the place in the history that it was read at."""

    state: RebuildState
    seq_no: int
    primary_term: int


class ElasticsearchGenerations:
    """Creates, publishes and removes generations of one namespace."""

    def __init__(self, server: ElasticsearchServer, namespace: str) -> None:
        self._server = server
        self._namespace = namespace
        self._listings = f"{namespace}-listings-"
        self._prefix = f"{self._listings}{FORMAT}-g"
        self._state_index = f"{namespace}-rebuild"
        self.live_alias = f"{namespace}-live-{FORMAT}"
        self.building_alias = f"{namespace}-building-{FORMAT}"

    def find(self) -> Indexes:
        """What there is now."""
        found = self._server.call(
            lambda: self._server.writing.indices.get_alias(index=f"{self._listings}*")
        )
        by_alias = {alias: name for name, entry in found.items() for alias in entry["aliases"]}
        return Indexes(
            live=by_alias.get(self.live_alias, ""),
            building=by_alias.get(self.building_alias, ""),
            names=tuple(sorted(name for name in found if name.startswith(self._prefix))),
            older=tuple(sorted(name for name in found if not name.startswith(self._prefix))),
        )

    def found(self) -> None:
        """An empty live generation, unless another process was quicker."""
        try:
            self._create(_LIVE_SETTINGS, self.live_alias)
        except IndexBusy:
            return

    def create_building(self) -> str:
        """An empty generation to be built.

        Raises:
            IndexBusy: another process was quicker.
        """
        return self._create(_BUILDING_SETTINGS, self.building_alias)

    def _create(self, settings: dict[str, Any], alias: str) -> str:
        """The next generation: of two that count to the same number, one creates it."""
        self._server.call(
            lambda: self._server.writing.indices.put_index_template(
                name=template_name(self._namespace),
                index_patterns=[self.live_alias, self.building_alias],
                allow_auto_create=False,
                priority=_TEMPLATE_PRIORITY,
            )
        )
        indexes = self.find()
        if indexes.live if alias == self.live_alias else indexes.building:
            raise IndexBusy(f"another process has made what {alias} stands for")
        number = (
            max((int(name.removeprefix(self._prefix)) for name in indexes.names), default=0) + 1
        )
        name = f"{self._prefix}{number:06d}"
        try:
            self._server.call(
                lambda: self._server.writing.indices.create(
                    index=name,
                    mappings=build_mapping(),
                    settings={**build_settings(), **settings},
                    aliases={alias: {}},
                )
            )
        except BadRequestError as error:
            if error_kind(error) != "resource_already_exists_exception":
                raise
            raise IndexBusy(f"another process makes {name}") from error
        return name

    def make_ready(self, name: str) -> None:
        """What a built generation needs before it is searched."""
        indices = self._server.writing.indices
        self._server.call(lambda: indices.put_settings(index=name, settings=_LIVE_SETTINGS))
        self._server.call(lambda: indices.refresh(index=name))

    def publish(self, before: str, built: str) -> None:
        """Move the live alias in one step.

        Raises:
            IndexBusy: another process has moved it meanwhile.
        """
        actions: list[dict[str, Any]] = [
            # Fails, and with it the whole step, where it was moved already.
            {"remove": {"index": built, "alias": self.building_alias, "must_exist": True}},
            {"add": {"index": built, "alias": self.live_alias}},
        ]
        if before:
            actions.append({"remove": {"index": before, "alias": self.live_alias}})
        try:
            self._server.call(lambda: self._server.writing.indices.update_aliases(actions=actions))
        except NotFoundError as error:
            raise IndexBusy(f"{built} was published by another process") from error

    def remove(self, *names: str) -> None:
        """Delete generations; those that are gone already are no matter."""
        if names:
            self._server.call(
                lambda: self._server.writing.indices.delete(
                    index=",".join(names), ignore_unavailable=True
                )
            )

    # --- how far a rebuild came ------------------------------------------------------------

    def read_state(self) -> HeldState | None:
        """The state of the rebuild under way; the alias says whether there is one."""
        building = self.find().building
        if not building:
            return None
        try:
            found = self._server.call(
                lambda: self._server.writing.get(index=self._state_index, id=_STATE_ID)
            )
        except NotFoundError:
            return None
        state = RebuildState(**found["_source"])
        if state.generation != building:
            return None
        return HeldState(state, found["_seq_no"], found["_primary_term"])

    def start_state(self, state: RebuildState) -> HeldState:
        """Remember a rebuild that begins."""
        try:
            self._server.call(
                lambda: self._server.writing.indices.create(
                    index=self._state_index,
                    mappings=_STATE_MAPPING,
                    settings={"number_of_shards": 1, "auto_expand_replicas": "0-1"},
                )
            )
        except BadRequestError as error:
            if error_kind(error) != "resource_already_exists_exception":
                raise
        return self._put_state(state, {})

    def move_state(self, held: HeldState, state: RebuildState) -> HeldState:
        """Remember how far it came since ``held``.

        Raises:
            IndexBusy: another process goes on with this rebuild.
        """
        try:
            return self._put_state(
                state, {"if_seq_no": held.seq_no, "if_primary_term": held.primary_term}
            )
        except ConflictError as error:
            raise IndexBusy("another process goes on with this rebuild") from error

    def _put_state(self, state: RebuildState, condition: dict[str, Any]) -> HeldState:
        answer = self._server.call(
            lambda: self._server.writing.index(
                index=self._state_index, id=_STATE_ID, document=asdict(state), **condition
            )
        )
        return HeldState(state, answer["_seq_no"], answer["_primary_term"])

    def forget_state(self) -> None:
        """Drop what was remembered; the alias has said so already."""
        try:
            self._server.call(
                lambda: self._server.writing.delete(index=self._state_index, id=_STATE_ID)
            )
        except NotFoundError:
            return

    def history(self) -> str:
        """Generation and last operation of the live index; empty before the first write."""
        try:
            stats = self._server.call(
                lambda: self._server.reading.indices.stats(
                    index=self.live_alias,
                    level="shards",
                    filter_path="indices.*.shards.*.seq_no.max_seq_no",
                )
            )
        except NotFoundError:
            return ""
        return ",".join(
            f"{name}:{copies[0]['seq_no']['max_seq_no']}"
            for name, entry in stats["indices"].items()
            for copies in entry["shards"].values()
        )


def forget_indexes(url: str, namespace: str) -> None:
    """Delete all that a namespace has on a search server."""
    with Elasticsearch(url, request_timeout=_FORGET_SECONDS) as client:
        # By name, one by one: a server may refuse to delete by a pattern.
        for name in client.indices.get(index=f"{namespace}-*", expand_wildcards="all"):
            client.indices.delete(index=name)
        client.options(ignore_status=404).indices.delete_index_template(
            name=template_name(namespace)
        )


def template_name(namespace: str) -> str:
    """The index template of a namespace."""
    return f"{namespace}-search"


def is_missing(error: NotFoundError) -> bool:
    """Whether a request met no index: there is none yet, or it was removed that moment."""
    return error_kind(error) == "index_not_found_exception"
