"""The operators' search desk: synonyms, rules of result lists, previews, reports."""

from collections.abc import Sequence
from typing import Any, TypeVar

from flask import Response

from enterprises.services.companies import name_enterprise
from enterprises.services.eligibility import viewer_in, viewer_of
from kernel import clock, cursors
from kernel.auth.services import names_of
from kernel.cursors import BadCursor
from kernel.db import write_transaction
from kernel.web import api_blueprint, current_actor, run_command
from search import previews, reports, rules, synonyms
from search.operator_schemas import (
    ListIn,
    LowClicksIn,
    NewRuleIn,
    PreviewIn,
    PreviewOut,
    PublishedOut,
    ReportIn,
    ReportOut,
    RuleIn,
    RuleOut,
    RulesIn,
    RulesOut,
    SynonymIn,
    SynonymOut,
    SynonymsIn,
    SynonymsOut,
)
from search.previews import PreviewList
from search.reports import After, QueryRow, Span
from search.rules import RuleInput, RuleState, RuleView
from search.synonyms import SynonymInput, SynonymView

blueprint = api_blueprint("search_operator", __name__, prefix="/admin/search")

T = TypeVar("T")


# --- pages of lists ------------------------------------------------------------------------


def _before(cursor: str | None) -> int | None:
    """The inside id that the last page ended with. Raises :class:`BadCursor`."""
    found = cursors.unpack(cursor)
    if found is not None and type(found) is not int:
        raise BadCursor
    return found


def _page(rows: Sequence[tuple[int, T]], limit: int) -> tuple[list[T], str | None]:
    """The page of rows of which one more than ``limit`` was asked for, and the next cursor."""
    page = rows[:limit]
    cursor = cursors.pack(page[-1][0]) if len(rows) > limit else None
    return [view for _, view in page], cursor


# --- synonyms ------------------------------------------------------------------------------


def _synonym(view: SynonymView, names: dict[str, str]) -> dict[str, Any]:
    return {
        "public_id": view.public_id,
        "kind": view.kind,
        "word": view.word,
        "words": view.words,
        "active": view.active,
        "changed_by": names.get(view.changed_by, ""),
        "changed_at": clock.rfc3339(view.changed_at),
    }


def _one_synonym(view: SynonymView) -> dict[str, Any]:
    return _synonym(view, names_of([view.changed_by]))


def _synonym_input(data: dict[str, Any]) -> SynonymInput:
    return SynonymInput(data["kind"], data["word"], data["words"], data["active"])


@blueprint.route("/synonyms")
@blueprint.arguments(SynonymsIn, location="query")
@blueprint.response(200, SynonymsOut)
def list_synonyms(query: dict[str, Any]) -> dict[str, Any]:
    """Synonyms and aliases, newest first."""
    rows = synonyms.list_synonyms(
        word=query["q"], before=_before(query["cursor"]), limit=query["limit"] + 1
    )
    views, cursor = _page(rows, query["limit"])
    names = names_of({view.changed_by for view in views})
    return {"items": [_synonym(view, names) for view in views], "next_cursor": cursor}


@blueprint.route("/synonyms", methods=["POST"])
@blueprint.arguments(SynonymIn)
@blueprint.alt_response(201, schema=SynonymOut)
def add_synonym(data: dict[str, Any]) -> Response:
    """Add a group or an alias; in use within seconds."""
    actor = current_actor()

    def work() -> Any:
        added = synonyms.add_synonym(actor=actor, data=_synonym_input(data))
        return SynonymOut().dump(_one_synonym(added))

    return run_command(SynonymIn().dump(data), work, status=201)


@blueprint.route("/synonyms/<synonym_id>", methods=["PUT"])
@blueprint.arguments(SynonymIn)
@blueprint.response(200, SynonymOut)
def change_synonym(data: dict[str, Any], synonym_id: str) -> dict[str, Any]:
    """Replace an entry, or switch it on or off."""
    with write_transaction():
        changed = synonyms.change_synonym(
            actor=current_actor(), synonym_id=synonym_id, data=_synonym_input(data)
        )
    return _one_synonym(changed)


@blueprint.route("/synonyms/<synonym_id>", methods=["DELETE"])
@blueprint.response(204)
def delete_synonym(synonym_id: str) -> None:
    """Delete an entry."""
    with write_transaction():
        synonyms.delete_synonym(actor=current_actor(), synonym_id=synonym_id)


# --- rules ---------------------------------------------------------------------------------


def _rule(view: RuleView, names: dict[str, str]) -> dict[str, Any]:
    rule = view.rule
    return {
        "rule_id": view.public_id,
        "query": view.target.query,
        "category": _named(view.category),
        "product": {
            "id": view.product.public_id,
            "title": view.product.title,
            "live": view.product.live,
        },
        "action": rule.action,
        "amount": rule.amount,
        "valid_from": clock.rfc3339(rule.valid_from),
        "valid_until": clock.rfc3339(rule.valid_until),
        "state": view.state,
        "in_force": view.state is RuleState.PUBLISHED and rule.in_force(clock.now()),
        "changed_by": names.get(view.changed_by, ""),
        "changed_at": clock.rfc3339(view.changed_at),
    }


def _one_rule(view: RuleView) -> dict[str, Any]:
    return _rule(view, names_of([view.changed_by]))


def _named(category: tuple[str, str] | None) -> dict[str, str] | None:
    return None if category is None else {"id": category[0], "name": category[1]}


def _rule_input(data: dict[str, Any]) -> RuleInput:
    return RuleInput(
        query=data["query"],
        category=data["category"],
        product_id=data["product_id"],
        action=data["action"],
        amount=data["amount"],
        valid_from=data["valid_from"],
        valid_until=data["valid_until"],
        publish=data.get("publish", False),
    )


@blueprint.route("/rules")
@blueprint.arguments(RulesIn, location="query")
@blueprint.response(200, RulesOut)
def list_rules(query: dict[str, Any]) -> dict[str, Any]:
    """Rules of one list or of all, newest first."""
    target = None
    if query["query"].strip() or query["category"]:
        target = rules.find_target(query=query["query"], category=query["category"])
    rows = rules.list_rules(
        target=target,
        state=query["state"],
        before=_before(query["cursor"]),
        limit=query["limit"] + 1,
    )
    views, cursor = _page(rows, query["limit"])
    names = names_of({view.changed_by for view in views})
    return {"items": [_rule(view, names) for view in views], "next_cursor": cursor}


@blueprint.route("/rules", methods=["POST"])
@blueprint.arguments(NewRuleIn)
@blueprint.alt_response(201, schema=RuleOut)
def add_rule(data: dict[str, Any]) -> Response:
    """Add a draft; with ``publish`` a rule that is in force at once."""
    actor = current_actor()

    def work() -> Any:
        added = rules.add_rule(actor=actor, data=_rule_input(data))
        return RuleOut().dump(_one_rule(added))

    return run_command(NewRuleIn().dump(data), work, status=201)


@blueprint.route("/rules/<rule_id>", methods=["PUT"])
@blueprint.arguments(RuleIn)
@blueprint.response(200, RuleOut)
def change_rule(data: dict[str, Any], rule_id: str) -> dict[str, Any]:
    """Replace a draft."""
    with write_transaction():
        changed = rules.change_rule(actor=current_actor(), rule_id=rule_id, data=_rule_input(data))
    return _one_rule(changed)


@blueprint.route("/rules/<rule_id>", methods=["DELETE"])
@blueprint.response(204)
def delete_rule(rule_id: str) -> None:
    """Delete a draft, or end a rule that is in force."""
    with write_transaction():
        rules.delete_rule(actor=current_actor(), rule_id=rule_id)


@blueprint.route("/rules/<rule_id>/withdraw", methods=["POST"])
@blueprint.response(200, RuleOut)
def withdraw_rule(rule_id: str) -> dict[str, Any]:
    """Make a rule that is in force a draft again."""
    with write_transaction():
        withdrawn = rules.withdraw_rule(actor=current_actor(), rule_id=rule_id)
    return _one_rule(withdrawn)


@blueprint.route("/rules/publish", methods=["POST"])
@blueprint.arguments(ListIn)
@blueprint.response(200, PublishedOut)
def publish_rules(data: dict[str, Any]) -> dict[str, int]:
    """Put all drafts of a list in force, as its preview shows it."""
    target = rules.find_target(query=data["query"], category=data["category"])
    with write_transaction():
        published = rules.publish_rules(actor=current_actor(), target=target)
    return {"published": published}


@blueprint.route("/preview")
@blueprint.arguments(PreviewIn, location="query")
@blueprint.response(200, PreviewOut)
def preview_list(query: dict[str, Any]) -> dict[str, Any]:
    """A list as it is, beside the same with its drafts in force, of all goods or of those that an
    enterprise's people see."""
    target = rules.find_target(query=query["query"], category=query["category"])
    enterprise, viewer = None, viewer_of(current_actor(), with_lots=False)
    if query["enterprise"]:
        enterprise = name_enterprise(public_id=query["enterprise"])
        viewer = viewer_in(current_actor(), enterprise_id=enterprise.id)
    found = previews.preview(viewer=viewer, target=target)
    return {
        "query": target.query,
        "category": _named(rules.category_of(target)),
        "enterprise": enterprise and {"id": enterprise.public_id, "name": enterprise.name},
        "drafts": found.drafts,
        "present": _preview_list(found.present),
        "draft": _preview_list(found.draft),
    }


def _preview_list(shown: PreviewList) -> dict[str, Any]:
    return {
        "ruled_query": shown.result.ruled_query,
        "total": shown.result.total,
        "items": [
            {
                "product_id": item.product_id,
                "title": item.title,
                "image": item.image,
                "price_minor": item.price_minor,
                "in_stock": item.in_stock,
                "action": shown.actions.get(item.product_id),
            }
            for item in shown.result.items
        ],
    }


# --- reports -------------------------------------------------------------------------------

_ZERO, _LOW = "zero-results", "low-clicks"


def _after(cursor: str | None, report: str) -> After | None:
    """Raises :class:`BadCursor`, also for the cursor of another report."""
    match cursors.unpack(cursor):
        case None:
            return None
        case [str(of_report), int(count), str(query)] if of_report == report:
            return After(count, query)
    raise BadCursor


def _report(report: str, span: Span, rows: Sequence[QueryRow], limit: int) -> dict[str, Any]:
    page = rows[:limit]
    cursor = None
    if len(rows) > limit:
        last = page[-1]
        cursor = cursors.pack([report, reports.sorted_by(last, report=report), last.query])
    return {
        "first": span.first.isoformat(),
        "last": span.last.isoformat(),
        "items": page,
        "next_cursor": cursor,
    }


@blueprint.route("/reports/zero-results")
@blueprint.arguments(ReportIn, location="query")
@blueprint.response(200, ReportOut)
def zero_results(query: dict[str, Any]) -> dict[str, Any]:
    """Queries that found nothing, the most frequent first."""
    span = reports.find_span(query["first"], query["last"])
    rows = reports.zero_results(
        span=span, after=_after(query["cursor"], _ZERO), limit=query["limit"] + 1
    )
    return _report(_ZERO, span, rows, query["limit"])


@blueprint.route("/reports/low-clicks")
@blueprint.arguments(LowClicksIn, location="query")
@blueprint.response(200, ReportOut)
def low_clicks(query: dict[str, Any]) -> dict[str, Any]:
    """Queries of which what was found is hardly ever opened, the most frequent first."""
    span = reports.find_span(query["first"], query["last"])
    rows = reports.low_clicks(
        span=span,
        min_searches=query["min_searches"],
        below_percent=query["below_percent"],
        after=_after(query["cursor"], _LOW),
        limit=query["limit"] + 1,
    )
    return _report(_LOW, span, rows, query["limit"])
