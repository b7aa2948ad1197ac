"""Who may see what, and which pot may pay for it: one answer for page, cart, quote and search."""

from __future__ import annotations

from dataclasses import dataclass, field

from enterprises.services.companies import programme_of
from kernel import clock
from kernel.auth.policy import Actor, TenantKind
from points.services.pots import LotView, PotView, credit_lots, pots_of_member
from shop.rules import GoodsFacts, GoodsRule


@dataclass(frozen=True)
class ViewerPot:
    """A pot that the viewer has or had credit in, with its lots that have something left."""

    pot: PotView
    rule: GoodsRule
    lots: tuple[LotView, ...]

    @property
    def available_minor(self) -> int:
        return sum(lot.available for lot in self.lots)


@dataclass(frozen=True)
class PotAnswer:
    """Whether a pot may pay for some goods; ``reason`` says why not."""

    pot_id: str
    name: str
    eligible: bool
    reason: str | None


@dataclass(frozen=True)
class Viewer:
    """What a signed-in membership may see and pay with. Without an enterprise: all, by card."""

    membership_id: int
    person_id: int
    enterprise_id: int | None
    programme: GoodsRule = field(default_factory=GoodsRule)
    programme_version: int = 0
    pots: tuple[ViewerPot, ...] = ()

    def sees(self, facts: GoodsFacts) -> bool:
        return self.programme.allows(facts)

    def pot_answers(self, facts: GoodsFacts) -> list[PotAnswer]:
        """For each pot, whether it may pay for goods with these facts."""
        answers = []
        for entry in self.pots:
            reason = entry.rule.refusal(facts)
            if reason:
                reason = f"不能付：{reason}"
            answers.append(PotAnswer(entry.pot.public_id, entry.pot.name, reason is None, reason))
        return answers

    def find_pot(self, pot_id: str) -> ViewerPot | None:
        return next((p for p in self.pots if p.pot.public_id == pot_id), None)


def viewer_in(actor: Actor, *, enterprise_id: int) -> Viewer:
    """The actor in the place of an enterprise's people: by their programme, without pots."""
    rule, version = programme_of(enterprise_id=enterprise_id)
    return Viewer(actor.membership_id, actor.person_id, enterprise_id, rule, version)


def viewer_of(actor: Actor, *, with_lots: bool = True) -> Viewer:
    """The viewer that an actor is. A leaver has no pots (Domain rule 21a).

    Without lots for who asks what the pots may pay for, not what is in them.
    """
    if actor.tenant_kind is not TenantKind.ENTERPRISE:
        return Viewer(actor.membership_id, actor.person_id, None)
    rule, version = programme_of(enterprise_id=actor.tenant_id)
    pots: tuple[ViewerPot, ...] = ()
    if actor.active:
        lots = credit_lots(membership_id=actor.membership_id, at=clock.now()) if with_lots else []
        pots = tuple(
            ViewerPot(
                pot=pot,
                rule=GoodsRule.from_json(pot.rule),
                lots=tuple(lot for lot in lots if lot.pot_id == pot.id),
            )
            for pot in pots_of_member(membership_id=actor.membership_id)
        )
    return Viewer(actor.membership_id, actor.person_id, actor.tenant_id, rule, version, pots)
