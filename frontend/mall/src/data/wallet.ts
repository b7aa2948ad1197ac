import { infiniteQueryOptions, useInfiniteQuery, useQuery } from '@tanstack/vue-query'
import { computed, type Ref } from 'vue'
import type { Pot } from '@shared/api/types'
import { api } from '@shared/session/session'
import type { FundingNames, Segment, Tone } from '@shared/ui/funding'
import { t } from '../texts'

export function useWallet() {
  return useQuery({ queryKey: ['wallet'], queryFn: api.wallet })
}

/** The pot that may pay most things first: it is the deep jade one, on every page. */
export function potsInOrder(pots: readonly Pot[]): Pot[] {
  return [...pots].sort(
    (a, b) => Number(a.eligible.categories.length > 0) - Number(b.eligible.categories.length > 0),
  )
}

/**
 * Which jade a pot has. It follows from the pot itself and not from its place, so that it stays
 * when another is spent: the first that may pay anything is deep, every other is light. A pot that
 * is no longer in the wallet takes what the wallet leaves.
 */
export function toneOf(potId: string | null, pots: readonly Pot[]): Tone {
  const wide = potsInOrder(pots).find((pot) => pot.eligible.categories.length === 0)
  if (wide) return wide.id === potId ? 'credit' : 'credit-second'
  return pots.some((pot) => pot.id === potId) ? 'credit-second' : 'credit'
}

/** The pots of the signed-in person, in the order and colours that every page keeps. */
export function usePots() {
  const wallet = useWallet()
  const pots = computed(() => potsInOrder(wallet.data.value?.pots ?? []))
  const toneOfPot = (potId: string | null): Tone => toneOf(potId, pots.value)
  /** A spent pot pays for nothing, whatever its rules allow. */
  const spent = (potId: string): boolean =>
    pots.value.some((pot) => pot.id === potId && pot.available_minor === 0)
  const names = computed<FundingNames>(() => ({
    points: t('tender.points'),
    cash: t('tender.cash.short'),
    toneOfPot,
  }))
  return { wallet, pots, toneOfPot, spent, names }
}

/** The soonest lot that will expire, over all pots. */
export function nextExpiry(pots: readonly Pot[]) {
  return pots
    .flatMap((pot) => pot.expires.map((lot) => ({ pot, lot })))
    .filter(({ lot }) => lot.amount_minor > 0)
    .sort((a, b) => a.lot.at.localeCompare(b.lot.at))[0]
}

/** What a person holds as one bar: each pot, then the points at their worth. */
export function holdings(pots: readonly Pot[], pointsMinor: number, tone: (id: string) => Tone): Segment[] {
  const credit = pots.map((pot) => ({
    tone: tone(pot.id),
    label: pot.name,
    amount_minor: pot.available_minor,
  }))
  return [...credit, { tone: 'points', label: t('tender.points'), amount_minor: pointsMinor }]
}

export function useStatement(pot: Ref<string>) {
  return useInfiniteQuery(
    computed(() =>
      infiniteQueryOptions({
        queryKey: ['statement', pot.value],
        queryFn: ({ pageParam }) =>
          api.statement({ pot: pot.value, cursor: pageParam, limit: 30 }),
        initialPageParam: null as string | null,
        getNextPageParam: (page) => page.next_cursor,
      }),
    ),
  )
}
