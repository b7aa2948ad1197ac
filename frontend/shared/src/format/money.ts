/** Amounts are whole numbers of fen everywhere; only these functions turn them into text. */

/** 123450 -> "1,234.50". Negative amounts carry a real minus sign. */
export function formatYuan(minor: number): string {
  const sign = minor < 0 ? '−' : ''
  const fen = Math.abs(Math.trunc(minor))
  const yuan = String(Math.floor(fen / 100)).replace(/\B(?=(\d{3})+$)/g, ',')
  return `${sign}${yuan}.${String(fen % 100).padStart(2, '0')}`
}

/** 123450 -> "¥1,234.50". */
export function formatMoney(minor: number): string {
  const text = formatYuan(minor)
  return text.startsWith('−') ? `−¥${text.slice(1)}` : `¥${text}`
}

/** 30000 -> "30,000". For points and counts. */
export function formatCount(count: number): string {
  const sign = count < 0 ? '−' : ''
  return sign + String(Math.abs(Math.trunc(count))).replace(/\B(?=(\d{3})+$)/g, ',')
}

/** How many were sold, as shops say it: 860 -> "860", 12340 -> "1.2万". English stays exact. */
export function formatSold(count: number, locale: 'zh' | 'en'): string {
  if (locale === 'en' || count < 10_000) return formatCount(count)
  const tenths = Math.floor(count / 1000)
  return tenths % 10 === 0 ? `${tenths / 10}万` : `${Math.floor(tenths / 10)}.${tenths % 10}万`
}

/**
 * What a person typed as yuan -> fen, or null where it is no amount.
 * Read digit by digit, so that no float ever rounds a price.
 */
export function parseYuan(text: string): number | null {
  const match = /^\s*[¥￥]?\s*(\d{1,9})(?:[.。](\d{0,2}))?\s*$/.exec(text.replaceAll(',', ''))
  if (!match) return null
  return Number(match[1]) * 100 + Number((match[2] ?? '').padEnd(2, '0'))
}

/** The most points that may be used for an amount: `perYuan` points are worth ¥1. */
export function pointsForMinor(minor: number, perYuan: number): number {
  return Math.floor((minor * perYuan) / 100)
}

/** What a number of points is worth in fen, rounded down as the cashier does. */
export function minorForPoints(points: number, perYuan: number): number {
  return Math.floor((points * 100) / perYuan)
}
