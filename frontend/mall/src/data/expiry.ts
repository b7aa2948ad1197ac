import type { Pot } from '@shared/api/types'
import { dateParts, daysUntil } from '@shared/format/dates'

export interface ExpiryMonth {
  year: number
  month: number
  amount_minor: number
  /** The pot with the most to lose in this month: its jade colours the bar. */
  potId: string | null
  soon: boolean
}

const SOON_DAYS = 30

/** What expires in each of the next `count` months, this one first; the rest stays out of it. */
export function expiryCalendar(pots: readonly Pot[], now: Date, count = 8): ExpiryMonth[] {
  const start = dateParts(now)
  const months = Array.from({ length: count }, (_, ahead) => {
    const index = start.month - 1 + ahead
    return { year: start.year + Math.floor(index / 12), month: (index % 12) + 1 }
  })
  return months.map(({ year, month }) => {
    const byPot = new Map<string, number>()
    let soon = false
    for (const pot of pots) {
      for (const lot of pot.expires) {
        const at = dateParts(lot.at)
        if (at.year !== year || at.month !== month || lot.amount_minor <= 0) continue
        byPot.set(pot.id, (byPot.get(pot.id) ?? 0) + lot.amount_minor)
        soon ||= daysUntil(lot.at, now) <= SOON_DAYS
      }
    }
    const largest = [...byPot].sort((a, b) => b[1] - a[1])[0]
    return {
      year,
      month,
      amount_minor: [...byPot.values()].reduce((sum, one) => sum + one, 0),
      potId: largest?.[0] ?? null,
      soon,
    }
  })
}
