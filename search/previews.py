"""The list of a query or a category as customers see it, beside what its drafts would make of it.

Both are of the whole catalogue: an operator belongs to no enterprise whose programme would hide
goods. What an employee may not see stays out of their lists whatever is pinned.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from enterprises.services.eligibility import Viewer
from kernel import clock
from search.merchandising import Action
from search.requests import SearchRequest
from search.rules import MAX_RULES_OF_LIST, RuleState, RuleView, Target, list_rules
from search.services import SearchResult, search
from shop.services.categories import category_tree

LENGTH = 40


@dataclass(frozen=True, slots=True)
class PreviewList:
    """The first ``LENGTH`` goods with the whole total, and what rules do by product (outside
    id)."""

    result: SearchResult
    actions: Mapping[str, Action]


@dataclass(frozen=True, slots=True)
class Preview:
    """Both lists, and how many drafts make the difference."""

    present: PreviewList
    draft: PreviewList
    drafts: int


def preview(*, viewer: Viewer, target: Target) -> Preview:
    """Look at a list before its drafts are published.

    Raises:
        SearchUnavailable: the index is away.
    """
    rules = [view for _, view in _rules(target)]
    drafts = [view for view in rules if view.state is RuleState.DRAFT]
    published = [view for view in rules if view.state is RuleState.PUBLISHED]
    return Preview(
        present=PreviewList(_ask(viewer, target, drafts=False), _actions(published)),
        draft=PreviewList(_ask(viewer, target, drafts=True), _actions([*published, *drafts])),
        drafts=len(drafts),
    )


def _rules(target: Target) -> list[tuple[int, RuleView]]:
    return list_rules(target=target, state=None, before=None, limit=MAX_RULES_OF_LIST)


def _ask(viewer: Viewer, target: Target, *, drafts: bool) -> SearchResult:
    node = category_tree().by_id.get(target.category_id)
    request = SearchRequest(
        target.query,
        categories=() if node is None else (node.public_id,),
        limit=LENGTH,
        drafts=drafts,
    )
    return search(viewer=viewer, request=request)


def _actions(rules: Iterable[RuleView]) -> dict[str, Action]:
    """A draft stands after the rule that it would replace."""
    at = clock.now()
    return {view.product.public_id: view.rule.action for view in rules if view.rule.in_force(at)}
