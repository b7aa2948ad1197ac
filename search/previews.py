"""The list of a query or a category as customers see it, beside what its drafts would make of it.

Both are of the whole catalogue, or of what the people of one enterprise see by its programme:
what it hides stays out of their lists whatever is pinned.
"""

from collections.abc import Mapping, Sequence
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
    rules = _rules(target)
    published = [view for view in rules if view.state is RuleState.PUBLISHED]
    return Preview(
        present=_list(viewer, target, published, drafts=False),
        # A draft stands after the rule that it would replace.
        draft=_list(viewer, target, sorted(rules, key=_is_draft), drafts=True),
        drafts=sum(map(_is_draft, rules)),
    )


def _is_draft(view: RuleView) -> bool:
    return view.state is RuleState.DRAFT


def _rules(target: Target, state: RuleState | None = None) -> list[RuleView]:
    found = list_rules(target=target, state=state, before=None, limit=MAX_RULES_OF_LIST)
    return [view for _, view in found]


def _list(
    viewer: Viewer, target: Target, rules: Sequence[RuleView], *, drafts: bool
) -> PreviewList:
    node = category_tree().by_id.get(target.category_id)
    request = SearchRequest(
        target.query,
        categories=() if node is None else (node.public_id,),
        limit=LENGTH,
        drafts=drafts,
    )
    result = search(viewer=viewer, request=request)
    if result.ruled_query not in {"", target.query}:
        # The list follows the rules of what was searched for instead.
        rules = _rules(Target(query=result.ruled_query), RuleState.PUBLISHED)
    at = clock.now()
    actions = {view.product.public_id: view.rule.action for view in rules if view.rule.in_force(at)}
    return PreviewList(result, actions)
