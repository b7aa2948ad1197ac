"""Rules of result lists: kept by operators as drafts, looked at, published, in force at once.

A search reads all rules in force from what its process remembers for five seconds: one statement
in that time, by an index, and none for a single search.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.exc import IntegrityError

from kernel import clock
from kernel.audit import services as audit_log
from kernel.auth.policy import Actor
from kernel.db import db, is_duplicate
from kernel.errors import Conflict, InvalidInput, NotFound, Problem
from kernel.ids import public_id
from kernel.remembered import Remembered
from search import documents
from search.documents import ProductName
from search.indexing import suggestion_file
from search.matching import MatchKind, TextPlan
from search.merchandising import Action, Arrangement
from search.models import SearchRule
from search.query_key import query_key
from search.remembering import forget_after_commit
from search.requests import ResolvedSearch, SortBy
from search.tokens import cut_units
from search.understanding.corrections import corrections
from shop.services.categories import category_tree

MAX_RULES = 5_000
MAX_RULES_OF_LIST = 50
MAX_PLACE = 100
MAX_BOOST = 99
_SECONDS = 5.0


class RuleState(StrEnum):
    """A draft is seen in previews alone."""

    DRAFT = "draft"
    PUBLISHED = "published"


class TooManyRules(Problem):
    """Every search process holds all rules in force, so there is an end to their number."""

    code = "too_many_rules"
    status = 409
    title = "规则太多，请先删除不用的"


class RuleExists(Conflict):
    """A product has one rule in a list."""

    code = "rule_exists"
    title = "这件商品在这个列表里已经有规则"


class RulePublished(Conflict):
    """What customers see is changed by publishing, after a preview."""

    code = "rule_published"
    title = "已发布的规则不能直接修改，请先撤回"


@dataclass(frozen=True, slots=True)
class Target:
    """The list that a rule is for: that of a query, or that of a category (by inside id)."""

    query: str = ""
    category_id: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: ``amount`` is the place of a pin or the percent of a boost."""

    product_id: int
    action: Action
    amount: int
    valid_from: datetime | None
    valid_until: datetime | None

    def in_force(self, at: datetime) -> bool:
        """From the first moment until before the last."""
        return (self.valid_from is None or self.valid_from <= at) and (
            self.valid_until is None or at < self.valid_until
        )


@dataclass(frozen=True, slots=True)
class RuleInput:
    """A rule as it is asked for, by outside ids; ``query`` in any writing."""

    query: str
    category: str
    product_id: str
    action: Action
    amount: int
    valid_from: datetime | None
    valid_until: datetime | None
    publish: bool = False


@dataclass(frozen=True, slots=True)
class RuleView:
    """A rule as operators see it; ``category`` is the outside id and the name."""

    public_id: str
    target: Target
    category: tuple[str, str] | None
    product: ProductName
    rule: Rule
    state: RuleState
    changed_by: str
    changed_at: datetime


# --- in searches ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RuleBook:
    """All published rules that are not over, by the list that they are for."""

    rules: Mapping[Target, Sequence[Rule]] = field(default_factory=dict)


_ALL = "all"
_remembered: Remembered[str, RuleBook] = Remembered(_SECONDS, most=1)


def current_rules() -> RuleBook:
    """The rules of some seconds ago at most; of now, where this process changed them."""
    return _remembered.find((_ALL,), lambda _: {_ALL: _read_book()})[_ALL]


def _read_book() -> RuleBook:
    not_over = or_(SearchRule.valid_until.is_(None), SearchRule.valid_until > clock.now())
    found: dict[Target, list[Rule]] = {}
    for target, rule in _read(SearchRule.state == RuleState.PUBLISHED, not_over):
        found.setdefault(target, []).append(rule)
    return RuleBook(found)


def _read(*where: ColumnElement[bool]) -> list[tuple[Target, Rule]]:
    rows = db.session.execute(
        select(
            SearchRule.query,
            SearchRule.category_id,
            SearchRule.product_id,
            SearchRule.action,
            SearchRule.amount,
            SearchRule.valid_from,
            SearchRule.valid_until,
        )
        .where(*where)
        .order_by(SearchRule.id)
        .limit(MAX_RULES)
    )
    return [
        (Target(query, category), Rule(product, Action(action), amount, begins, ends))
        for query, category, product, action, amount, begins, ends in rows
    ]


def arrangement_of(found: ResolvedSearch, plan: TextPlan) -> Arrangement:
    """The rules for what was asked: of the words where there are any, else of the one category
    that was chosen. Only a list in our own order is arranged, never one that a person sorted.

    Of words the first list with a rule in force counts: that of the text as typed, of the text
    without its words about a price, of what was searched for instead, of the word that letters
    were found as. Drafts are looked at for the first of them alone.
    """
    book, drafts = current_rules().rules, found.request.drafts
    if not book and not drafts:
        return Arrangement()
    for number, target in enumerate(_targets(found, plan)):
        rules = {rule.product_id: rule for rule in book.get(target, ())}
        if drafts and number == 0:
            rules |= {rule.product_id: rule for rule in _drafts(target)}
        arrangement = _arrangement(target, rules.values())
        if arrangement:
            return arrangement
    return Arrangement()


def _targets(found: ResolvedSearch, plan: TextPlan) -> Iterator[Target]:
    """The lists in question, one after another: the last are more work to find than the first."""
    if found.request.sort not in {None, SortBy.RELEVANCE}:
        return
    if found.query is not None:
        yield Target(query=query_key(found.request.text))
        yield Target(query=query_key(found.query.text))
        yield Target(query=query_key(plan.corrected or _reading(found, plan)))
        return
    chosen = found.choice.categories
    if chosen is not None and len(chosen) == 1:
        yield Target(category_id=min(chosen))


def _reading(found: ResolvedSearch, plan: TextPlan) -> str:
    """The likeliest query that the letters of this one stand for, where its match set took them
    for pinyin, for initials or for half a word."""
    query = found.query
    if query is None or found.request.verbatim or plan.kind is not MatchKind.ALL_WORDS:
        return ""
    if not any(run.text in plan.spelt or run.after_han or run.before_han for run in query.latin):
        return ""
    possible = corrections(query.text, suggestion_file().lexicon())
    return next((each.text for each in possible if each.is_reading), "")


def _drafts(target: Target) -> list[Rule]:
    return [rule for _, rule in _read(*_of_target(target), SearchRule.state == RuleState.DRAFT)]


def _arrangement(target: Target, rules: Iterable[Rule]) -> Arrangement:
    at = clock.now()
    live = [rule for rule in rules if rule.in_force(at)]
    return Arrangement(
        pins={rule.product_id: rule.amount for rule in live if rule.action is Action.PIN},
        boosts={rule.product_id: rule.amount for rule in live if rule.action is Action.BOOST},
        buried=frozenset(rule.product_id for rule in live if rule.action is Action.BURY),
        query=target.query,
    )


# --- for operators -------------------------------------------------------------------------


def find_target(*, query: str, category: str) -> Target:
    """The list that a query or a category (outside id) names.

    Raises:
        InvalidInput: neither or both are given, or there is no such category.
    """
    key = query_key(query)
    if bool(key) == bool(category):
        raise InvalidInput("规则有误", errors=[{"field": "query", "message": "搜索词和类目填一个"}])
    if not category:
        if not cut_units(key):
            raise InvalidInput(
                "规则有误", errors=[{"field": "query", "message": "搜索词要有文字或数字"}]
            )
        return Target(query=key)
    node = category_tree().by_public_id.get(category)
    if node is None:
        raise InvalidInput("规则有误", errors=[{"field": "category", "message": "没有这个类目"}])
    return Target(category_id=node.id)


def category_of(target: Target) -> tuple[str, str] | None:
    """The outside id and the name of the category that a list is of."""
    node = category_tree().by_id.get(target.category_id)
    return None if node is None else (node.public_id, node.name)


def list_rules(
    *, target: Target | None, state: RuleState | None, before: int | None, limit: int
) -> list[tuple[int, RuleView]]:
    """Rules with their inside ids, newest first."""
    statement = select(SearchRule).order_by(SearchRule.id.desc()).limit(limit)
    if target is not None:
        statement = statement.where(*_of_target(target))
    if state is not None:
        statement = statement.where(SearchRule.state == state)
    if before is not None:
        statement = statement.where(SearchRule.id < before)
    rows = db.session.scalars(statement).all()
    return list(zip((row.id for row in rows), _views(rows), strict=True))


def add_rule(*, actor: Actor, data: RuleInput) -> RuleView:
    """Add a draft, or with ``publish`` a rule that is in force at once.

    Raises:
        InvalidInput: the list, the product, the amount or the dates are wrong.
        RuleExists: the product has a draft (or, to publish, a rule) in this list.
        TooManyRules: there is no room for one more, in this list or at all.
    """
    target = find_target(query=data.query, category=data.category)
    product = _check(data, target)
    _check_room(target)
    state = RuleState.PUBLISHED if data.publish else RuleState.DRAFT
    row = SearchRule(
        public_id=public_id("srl"),
        query=target.query,
        category_id=target.category_id,
        product_id=product,
        state=state.value,
    )
    db.session.add(row)
    return _write(row, actor, data, action="search.rule_added")


def change_rule(*, actor: Actor, rule_id: str, data: RuleInput) -> RuleView:
    """Replace a draft.

    Raises:
        InvalidInput, RuleExists: as :func:`add_rule`.
        NotFound: there is no such rule.
        RulePublished: it is in force.
    """
    row = _find(rule_id)
    if row.state == RuleState.PUBLISHED:
        raise RulePublished
    target = find_target(query=data.query, category=data.category)
    row.product_id = _check(data, target)
    row.query, row.category_id = target.query, target.category_id
    return _write(row, actor, data, action="search.rule_changed")


def delete_rule(*, actor: Actor, rule_id: str) -> None:
    """Delete a draft, or end a rule that is in force. Raises :class:`NotFound`."""
    row = _find(rule_id)
    _delete(actor, row, reason="deleted")
    forget_after_commit(_remembered)


def withdraw_rule(*, actor: Actor, rule_id: str) -> RuleView:
    """Make a rule in force a draft again; a draft stays one.

    Raises:
        NotFound: there is no such rule.
        RuleExists: the product has a draft in this list as well.
    """
    row = _find(rule_id)
    if row.state == RuleState.PUBLISHED:
        row.state = RuleState.DRAFT.value
        _sign(row, actor)
        _flush()
        audit_log.record(
            actor=actor.person_public_id,
            action="search.rule_withdrawn",
            subject=row.public_id,
            details=_details(row),
        )
        forget_after_commit(_remembered)
    return _views([row])[0]


def publish_rules(*, actor: Actor, target: Target) -> int:
    """Put all drafts of a list in force, in place of rules of the same products; how many."""
    rows = db.session.scalars(
        select(SearchRule).where(*_of_target(target)).order_by(SearchRule.id).with_for_update()
    ).all()
    drafts = [row for row in rows if row.state == RuleState.DRAFT]
    replaced = {row.product_id for row in drafts}
    for row in rows:
        if row.state == RuleState.PUBLISHED and row.product_id in replaced:
            _delete(actor, row, reason="replaced")
    # Before their successors take their places.
    db.session.flush()
    for row in drafts:
        row.state = RuleState.PUBLISHED.value
        _sign(row, actor)
        audit_log.record(
            actor=actor.person_public_id,
            action="search.rule_published",
            subject=row.public_id,
            details=_details(row),
        )
    db.session.flush()
    forget_after_commit(_remembered)
    return len(drafts)


def _of_target(target: Target) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return SearchRule.query == target.query, SearchRule.category_id == target.category_id


def _check(data: RuleInput, target: Target) -> int:
    """The inside id of the product, where all that was given fits together."""
    errors = []
    most = {Action.PIN: MAX_PLACE, Action.BOOST: MAX_BOOST, Action.BURY: 0}[data.action]
    if not min(most, 1) <= data.amount <= most:
        message = f"填 1 到 {most} 之间的整数" if most else "沉底不用填数字"
        errors.append({"field": "amount", "message": message})
    if data.valid_from and data.valid_until and data.valid_from >= data.valid_until:
        errors.append({"field": "valid_until", "message": "结束时间要晚于开始时间"})
    product = documents.find_products([data.product_id]).get(data.product_id)
    if product is None:
        errors.append({"field": "product_id", "message": "没有这件商品"})
    elif target.category_id and target.category_id not in category_tree().with_ancestors(
        product.category_id
    ):
        errors.append({"field": "product_id", "message": "这件商品不在这个类目里"})
    if errors or product is None:
        raise InvalidInput("规则有误", errors=errors)
    return product.id


def _check_room(target: Target) -> None:
    count = select(func.count()).select_from(SearchRule)
    if (db.session.scalar(count) or 0) >= MAX_RULES:
        raise TooManyRules
    if (db.session.scalar(count.where(*_of_target(target))) or 0) >= MAX_RULES_OF_LIST:
        raise TooManyRules("这个列表的规则太多，请先删除不用的")


def _write(row: SearchRule, actor: Actor, data: RuleInput, *, action: str) -> RuleView:
    row.action, row.amount = data.action.value, data.amount
    row.valid_from, row.valid_until = data.valid_from, data.valid_until
    _sign(row, actor)
    _flush()
    audit_log.record(
        actor=actor.person_public_id, action=action, subject=row.public_id, details=_details(row)
    )
    forget_after_commit(_remembered)
    return _views([row])[0]


def _sign(row: SearchRule, actor: Actor) -> None:
    row.changed_by, row.changed_at = actor.person_public_id, clock.now()


def _flush() -> None:
    try:
        db.session.flush()
    except IntegrityError as error:
        if not is_duplicate(error):
            raise
        raise RuleExists from error


def _delete(actor: Actor, row: SearchRule, *, reason: str) -> None:
    audit_log.record(
        actor=actor.person_public_id,
        action="search.rule_deleted",
        subject=row.public_id,
        details={**_details(row), "reason": reason},
    )
    db.session.delete(row)


def _details(row: SearchRule) -> dict[str, object]:
    return {
        "query": row.query,
        "category_id": row.category_id,
        "product_id": row.product_id,
        "action": row.action,
        "amount": row.amount,
        "valid_from": clock.rfc3339(row.valid_from),
        "valid_until": clock.rfc3339(row.valid_until),
        "state": row.state,
    }


def _find(rule_id: str) -> SearchRule:
    row = db.session.scalar(
        select(SearchRule).where(SearchRule.public_id == rule_id).with_for_update()
    )
    if row is None:
        raise NotFound("没有这条规则")
    return row


def _views(rows: Sequence[SearchRule]) -> list[RuleView]:
    """One statement for the products of all of them."""
    products = documents.read_product_names([row.product_id for row in rows])
    views = []
    for row in rows:
        target = Target(row.query, row.category_id)
        rule = Rule(row.product_id, Action(row.action), row.amount, row.valid_from, row.valid_until)
        views.append(
            RuleView(
                public_id=row.public_id,
                target=target,
                category=category_of(target),
                product=products.get(row.product_id, documents.GONE),
                rule=rule,
                state=RuleState(row.state),
                changed_by=row.changed_by,
                changed_at=row.changed_at,
            )
        )
    return views
