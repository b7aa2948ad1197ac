import { formatMoney, formatYuan } from '../format/money'

/** The three tenders; a person's further pots share the second jade. `rest` is what is not used. */
export type Tone = 'credit' | 'credit-second' | 'points' | 'cash' | 'rest'

export interface Segment {
  tone: Tone
  label: string
  amount_minor: number
}

/** "通用 332.00", "积分 100.00", "卡 117.00": the words that stand under a bar. */
export function fundingWords(segments: readonly Segment[]): string[] {
  return segments
    .filter((one) => one.amount_minor > 0 && one.tone !== 'rest')
    .map((one) => `${one.label} ${formatYuan(one.amount_minor)}`)
}

/** What a screen reader says for a bar: every part with its amount, the unused rest too. */
export function fundingAlternative(segments: readonly Segment[], none: string): string {
  const parts = segments.filter((one) => one.amount_minor > 0)
  if (parts.length === 0) return none
  return parts.map((one) => `${one.label} ${formatMoney(one.amount_minor)}`).join('，')
}

export interface Part {
  line_id: string
  source: string
  source_name: string
  pot_id?: string | null
  amount_minor: number
}

export interface FundingNames {
  points: string
  cash: string
  /** Which jade a pot has; the same on every page. */
  toneOfPot: (potId: string | null) => Tone
}

/**
 * Adds up funding parts into a bar: lots of one pot become one segment; credit first, then points,
 * then card, whatever order the parts came in.
 */
export function segmentsOf(parts: readonly Part[], names: FundingNames): Segment[] {
  const byKey = new Map<string, Segment>()
  for (const part of parts) {
    const tone = toneOfSource(part, names)
    const label = tone === 'points' ? names.points : tone === 'cash' ? names.cash : part.source_name
    const key = `${tone} ${label}`
    const known = byKey.get(key)
    if (known) known.amount_minor += part.amount_minor
    else byKey.set(key, { tone, label, amount_minor: part.amount_minor })
  }
  const order: Tone[] = ['credit', 'credit-second', 'points', 'cash', 'rest']
  return [...byKey.values()].sort((a, b) => order.indexOf(a.tone) - order.indexOf(b.tone))
}

function toneOfSource(part: Part, names: FundingNames): Tone {
  if (part.source === 'points') return 'points'
  if (part.source === 'cash') return 'cash'
  return names.toneOfPot(part.pot_id ?? null)
}
