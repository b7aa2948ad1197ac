/**
 * What the cashier knows while the person changes tenders: pure, so that each rule is tested.
 * A quote on the screen stays until its successor is here (nothing jumps), answers that were
 * overtaken by a newer wish are dropped, and a changed price is shown before it is paid.
 */
import type { Quote, QuoteLine, Refusal } from '@shared/api/types'
import { minorForPoints, pointsForMinor } from '@shared/format/money'

export interface Wish {
  credit: number | 'max'
  points: number | 'max'
}

export type QuoteChange =
  | { kind: 'line'; title: string; from: number; to: number }
  | { kind: 'gone'; title: string }
  | { kind: 'total'; from: number; to: number }

export interface QuoteState {
  wish: Wish
  quote: Quote | null
  /** The most credit that may be used here, as the last quote that asked for "max" found. */
  creditMax: number
  /** Raised with each request; an answer counts only if it carries the newest number. */
  turn: number
  busy: boolean
  error: unknown
  /** What changed since the quote that the person agreed to; empty if nothing did. */
  changes: QuoteChange[]
}

export const DEFAULT_WISH: Wish = { credit: 'max', points: 0 }

export function newState(wish: Wish = DEFAULT_WISH): QuoteState {
  return { wish, quote: null, creditMax: 0, turn: 0, busy: false, error: null, changes: [] }
}

/** A new wish (or the same again): the old quote stays visible until the answer. */
export function asked(state: QuoteState, wish: Wish = state.wish): QuoteState {
  return { ...state, wish, turn: state.turn + 1, busy: true, error: null }
}

export function answered(state: QuoteState, turn: number, quote: Quote): QuoteState {
  if (turn !== state.turn) return state
  return { ...accept(state, quote), busy: false, error: null, changes: [] }
}

export function failed(state: QuoteState, turn: number, error: unknown): QuoteState {
  if (turn !== state.turn) return state
  return { ...state, busy: false, error }
}

/** The server found another price while placing the order and sent the fresh quote with it. */
export function repriced(state: QuoteState, quote: Quote): QuoteState {
  const changes = state.quote ? compareQuotes(state.quote, quote) : []
  return { ...accept(state, quote), turn: state.turn + 1, busy: false, error: null, changes }
}

function accept(state: QuoteState, quote: Quote): QuoteState {
  const credit = creditOf(quote)
  const creditMax =
    state.wish.credit === 'max' ? credit : Math.min(Math.max(state.creditMax, credit), quote.payable_minor)
  return { ...state, quote, creditMax }
}

export function creditOf(quote: Quote): number {
  return quote.tenders.credit.reduce((sum, one) => sum + one.amount_minor, 0)
}

/** The most points that this order can still take after its credit. */
export function pointsMax(quote: Quote, perYuan: number): number {
  const open = Math.max(quote.payable_minor - creditOf(quote), 0)
  return Math.min(quote.available.points, pointsForMinor(open, perYuan))
}

/** What the person's points could pay of this order, in fen. */
export function pointsWorth(quote: Quote, perYuan: number): number {
  return minorForPoints(pointsMax(quote, perYuan), perYuan)
}

export function secondsLeft(quote: Quote, now: Date): number {
  return Math.max(0, Math.floor((Date.parse(quote.expires_at) - now.getTime()) / 1000))
}

/** What a person must see before they agree again: lines by offer, then the total. */
export function compareQuotes(before: Quote, after: Quote): QuoteChange[] {
  const keyOf = (line: Quote['lines'][number]): string =>
    line.offer_id ?? `${line.kind} ${line.merchant.id}`
  const now = new Map(after.lines.map((line) => [keyOf(line), line]))
  const changes: QuoteChange[] = []
  for (const line of before.lines) {
    const next = now.get(keyOf(line))
    if (!next) changes.push({ kind: 'gone', title: line.title })
    else if (next.payable_minor !== line.payable_minor) {
      changes.push({ kind: 'line', title: line.title, from: line.payable_minor, to: next.payable_minor })
    }
  }
  if (before.payable_minor !== after.payable_minor) {
    changes.push({ kind: 'total', from: before.payable_minor, to: after.payable_minor })
  }
  return changes
}

/**
 * What a line has to say: always what stops it; that a pot can't pay only where credit left
 * something open, for where other credit paid it all nobody asks; and only of a pot that has money.
 */
export function refusalsToShow(quote: Quote, line: QuoteLine): Refusal[] {
  const credit = quote.funding
    .filter((part) => part.line_id === line.line_id && part.source.startsWith('lot:'))
    .reduce((sum, part) => sum + part.amount_minor, 0)
  const open = credit < line.payable_minor
  const filled = (potId: string): boolean =>
    quote.available.credit.some((pot) => pot.pot_id === potId && pot.available_minor > 0)
  return quote.refusals.filter(
    (one) =>
      one.line_id === line.line_id && (one.pot_id === null || (open && filled(one.pot_id))),
  )
}

/** Refusals that stop the whole order (not "this pot can't pay", which another tender solves). */
export function blockingRefusals(quote: Quote): Quote['refusals'] {
  return quote.refusals.filter((one) => one.pot_id === null)
}
