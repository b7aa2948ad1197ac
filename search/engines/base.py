"""What a search engine must do for the mall: a small interface that every engine can fill.

Only what both tantivy and a plain Elasticsearch offer is asked for: terms, ranges and Boolean
combinations as filters, boosted terms for scores, sorting by one packed integer, terms and
range aggregations, and writes with an external version. No analyser, script or joined query.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from kernel.tasks import PartUnavailable
from search.tokens import TokenFields

# The form of documents and tokens: raise it with any change, and the mall makes its index anew.
FORMAT = 4


class IndexBusy(RuntimeError):
    """Another process is the writer of this index, or is rebuilding it."""


class EngineUnavailable(PartUnavailable):
    """The engine cannot answer now; ``retry_after`` is when it may be asked again, in seconds."""

    def __init__(self, reason: str, *, retry_after: float = 1.0) -> None:
        super().__init__(f"search: {reason}", retry_after=retry_after)


class RefusedDocuments(ValueError):
    """The engine takes documents of some products in no form; all others were written."""

    def __init__(self, product_ids: Sequence[int], reason: str) -> None:
        super().__init__(f"refused products {list(product_ids)[:20]}: {reason}")
        self.product_ids = tuple(product_ids)


class TokenField(StrEnum):
    """Fields that hold whitespace-separated tokens made by ``search.tokens``."""

    CHARS = "chars"
    GRAMS = "grams"
    WORDS = "words"
    PINYIN = "pinyin"


class NumberField(StrEnum):
    """Whole-number fields. Ids are internal keys; prices are fen."""

    PRODUCT = "product"
    MERCHANT = "merchant"
    CHEAPER = "cheaper"
    RANK = "rank"
    CATEGORY = "category"
    BRAND = "brand"
    ASSORTMENT = "assortment"
    ATTRIBUTE = "attribute"
    IN_STOCK = "in_stock"
    PRICE = "price"
    TOMBSTONE = "tombstone"


class SortField(StrEnum):
    """Packed integers, ``key << 31 | product id``, so that one field orders without ties."""

    BY_PRICE = "by_price"
    BY_SALES = "by_sales"
    BY_CREATED = "by_created"


ID_BITS = 31
_MAX_ID = (1 << ID_BITS) - 1
_MAX_KEY = (1 << 32) - 1


def pack_sort_key(key: int, product_id: int) -> int:
    """``key`` (capped to 32 bits) above the product id: fits a signed 64-bit integer.

    Raises:
        ValueError: the product id does not fit in 31 bits.
    """
    if not 0 <= product_id <= _MAX_ID:
        raise ValueError(f"product id {product_id} does not fit {ID_BITS} bits")
    return min(max(key, 0), _MAX_KEY) << ID_BITS | product_id


def product_of(packed: int) -> int:
    """The product id in a packed key."""
    return packed & _MAX_ID


# --- what is written -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ListingDocument:
    """One product at one merchant (Domain rule 30a), as the index holds it.

    ``cheaper`` are the merchants of the same product ranked before this one; ``rank`` is
    their number. ``categories`` are the product's own, ``category_id``, and all above it. The
    token strings are those of ``search.tokens.TokenFields``.
    """

    product_id: int
    merchant_id: int
    version: int
    tokens: TokenFields
    price_minor: int
    in_stock: bool
    cheaper: tuple[int, ...]
    categories: tuple[int, ...]
    category_id: int
    brand_id: int
    assortments: tuple[int, ...]
    attributes: tuple[int, ...]
    sales: int
    created_at: int


@dataclass(frozen=True, slots=True)
class ProductChange:
    """All listings of a product at a version; none means that it is no longer for sale.

    The product is the unit of writing, so that its listings never disagree about who is the
    cheapest.
    """

    product_id: int
    version: int
    listings: tuple[ListingDocument, ...]


def newest_changes(changes: Iterable[ProductChange]) -> dict[int, ProductChange]:
    """Changes by product: of several of one product the newest, of equals the last."""
    found: dict[int, ProductChange] = {}
    for change in changes:
        known = found.get(change.product_id)
        if known is None or change.version >= known.version:
            found[change.product_id] = change
    return found


@dataclass(frozen=True, slots=True)
class WriteReport:
    """How many products were written, and how many were older than what the index held."""

    written: int
    stale: int


# --- filters -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Everything:
    """Matches every listing."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """Matches no listing."""


@dataclass(frozen=True, slots=True)
class Token:
    """The token stands in the field."""

    field: TokenField
    value: str


@dataclass(frozen=True, slots=True)
class AnyValue:
    """The number field has one of the values (no value: matches nothing)."""

    field: NumberField
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """The number lies between both bounds, inclusive; ``None`` leaves an end open."""

    field: NumberField | SortField
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every clause matches (no clause: matches everything)."""

    clauses: tuple["Clause", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least ``minimum`` of the clauses match."""

    clauses: tuple["Clause", ...]
    minimum: int = 1


@dataclass(frozen=True, slots=True)
class NoneOf:
    """None of the clauses matches."""

    clauses: tuple["Clause", ...]


Clause = Everything | Nothing | Token | AnyValue | Between | AllOf | AnyOf | NoneOf


# --- queries -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ScoredToken:
    """Adds the token's BM25 score times ``boost`` where the token stands in the field."""

    field: TokenField
    value: str
    boost: float = 1.0


@dataclass(frozen=True, slots=True)
class Sort:
    """Order by a packed field; ``after`` is the packed value of the last hit already shown."""

    field: SortField
    descending: bool
    after: int | None = None


@dataclass(frozen=True, slots=True)
class TermsFacet:
    """Count listings by the values of ``field`` among those that match ``where``.

    The answer has the ``size`` values that most of them have.
    """

    name: str
    field: NumberField
    where: Clause
    size: int = 100


@dataclass(frozen=True, slots=True)
class RangesFacet:
    """Count listings by ranges ``[low, high)`` of ``field`` among those that match ``where``."""

    name: str
    field: NumberField
    where: Clause
    ranges: tuple[tuple[int | None, int | None], ...]


Facet = TermsFacet | RangesFacet


@dataclass(frozen=True, slots=True)
class EngineQuery:
    """One search: a filter, an order (by score or by a sort), a limit and facets.

    Equal scores are ordered by product; with neither ``scores`` nor ``sort`` the order is the
    engine's own. ``read`` says that ``candidates`` will be asked for the texts of the hits.
    """

    where: Clause
    scores: tuple[ScoredToken, ...] = ()
    sort: Sort | None = None
    limit: int = 10
    count: bool = True
    facets: tuple[Facet, ...] = ()
    read: bool = False


class Hit(NamedTuple):
    """A candidate. ``position`` is the packed sort value when sorted, else 0.

    A tuple, because a search makes hundreds of them. ``address`` is the engine's own.
    """

    product_id: int
    score: float
    position: int
    address: object


# Sums of single-precision numbers depend on their order, and that is the engine's own.
_SCORE_DIGITS = 4


def order_ties(hits: Iterable[Hit]) -> tuple[Hit, ...]:
    """Scored hits with scores that mean the same on every engine, equal ones by product."""
    rounded = [hit._replace(score=round(hit.score, _SCORE_DIGITS)) for hit in hits]
    return tuple(sorted(rounded, key=lambda hit: (-hit.score, hit.product_id)))


class Candidate(NamedTuple):
    """What the second stage reads of a hit: its units and the few numbers it weighs.

    The price is in fen, ``created_at`` in seconds since 1970.
    """

    title: str
    extra: str
    sales: int
    in_stock: bool
    category_id: int
    merchant_id: int
    price_minor: int
    created_at: int


@dataclass(frozen=True, slots=True)
class EngineResult:
    """Hits in order, the exact number of matches (0 when not counted) and facet counts.

    A range facet's value is the index of its range.
    """

    hits: tuple[Hit, ...]
    total: int
    facets: Mapping[str, tuple[tuple[int, int], ...]]


@dataclass(frozen=True, slots=True)
class TermStatistics:
    """How many listings there are, and in how many each token stands.

    Deleted ones may still be counted, and the figures may be some minutes old: they say how
    rare a token is, nothing more.
    """

    listings: int
    frequencies: Mapping[TokenField, Mapping[str, int]]


class EngineView(Protocol):
    """The index as one search sees it; each answer is of one state, whole and consistent.

    Every method may raise :class:`EngineUnavailable`.
    """

    @property
    def generation(self) -> str:
        """A name that changes when the whole index is swapped; empty before the first write."""
        ...

    @property
    def size(self) -> int:
        """Number of listings."""
        ...

    def search(self, query: EngineQuery) -> EngineResult: ...

    def searches(self, queries: Sequence[EngineQuery]) -> list[EngineResult]:
        """Several searches in one go."""
        ...

    def count(self, where: Clause) -> int: ...

    def counts(self, filters: Sequence[Clause], *, up_to: int = 1) -> list[int]:
        """Of each filter, how many listings match it; nobody counts further than ``up_to``."""
        ...

    def statistics(self, tokens: Mapping[TokenField, Sequence[str]]) -> TermStatistics:
        """How rare the tokens of each field are."""
        ...

    def candidates(self, hits: Sequence[Hit]) -> list[Candidate]:
        """The texts and numbers of hits of a query with ``read``, in their order."""
        ...


class SearchEngine(Protocol):
    """Reads through views; writes by product, with external versions, in generations.

    Every method may raise :class:`EngineUnavailable`, and those that write :class:`IndexBusy`
    and :class:`RefusedDocuments`.
    """

    def view(self) -> EngineView:
        """The newest committed state; cheap to call for every search."""
        ...

    def state(self) -> str:
        """A name of what is in the live index; it changes with every write and swap."""
        ...

    def may_write(self) -> bool:
        """Whether this process can write now (another may be the only writer)."""
        ...

    def write(self, changes: Iterable[ProductChange]) -> WriteReport:
        """Write to the live index and, during a rebuild, to the one being built as well.

        Durable and visible on return. A change older than the version held is left out. The
        changes may be made while they are written; where making one fails, none is.
        """
        ...

    def begin_rebuild(self, *, fingerprint: str) -> "RebuildState":
        """Start a generation beside the live one, or continue an unfinished one.

        An unfinished one is continued only when its fingerprint is the same (documents made
        by the same code); any other is thrown away.
        """
        ...

    def write_rebuild(
        self, changes: Sequence[ProductChange], *, last_id: int, gently: bool = True
    ) -> WriteReport:
        """Write a batch to the generation being built and remember how far it came.

        ``gently`` leaves room for searches; without it all of the engine may be used.

        Raises:
            LookupError: no rebuild is under way.
        """
        ...

    def rebuild_state(self) -> "RebuildState | None":
        """How far the rebuild under way has come; ``None`` without one."""
        ...

    def swap(self) -> str:
        """Make the built generation the live one, atomically; returns its name.

        Raises:
            LookupError: no rebuild is under way.
        """
        ...

    def abandon_rebuild(self) -> None:
        """Throw the generation being built away."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class RebuildState:
    """A generation being built: every product up to ``last_id`` is in it."""

    generation: str
    fingerprint: str
    last_id: int
    written: int
