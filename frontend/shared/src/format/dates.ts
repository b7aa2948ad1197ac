import type { Locale } from '../i18n/locale'
import { shopNow } from './clock'

/** The shop keeps China's time, wherever the person's phone is. */
const ZONE = 'Asia/Shanghai'

interface DateParts {
  year: number
  month: number
  day: number
  hour: number
  minute: number
}

const partsFormat = new Intl.DateTimeFormat('en-GB', {
  timeZone: ZONE,
  year: 'numeric',
  month: 'numeric',
  day: 'numeric',
  hour: 'numeric',
  minute: 'numeric',
  hourCycle: 'h23',
})

export function dateParts(at: Date | string): DateParts {
  const parts: Record<string, number> = {}
  for (const { type, value } of partsFormat.formatToParts(new Date(at))) parts[type] = Number(value)
  return {
    year: parts.year ?? 0,
    month: parts.month ?? 0,
    day: parts.day ?? 0,
    hour: parts.hour ?? 0,
    minute: parts.minute ?? 0,
  }
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

export function formatMonth(month: number, locale: Locale): string {
  return locale === 'zh' ? `${month}月` : (MONTHS[month - 1] ?? String(month))
}

/** "12月3日", with the year where it is another one than now's. */
export function formatDate(at: Date | string, locale: Locale, now: Date = shopNow()): string {
  const date = dateParts(at)
  const otherYear = date.year !== dateParts(now).year
  if (locale === 'zh') {
    return `${otherYear ? `${date.year}年` : ''}${date.month}月${date.day}日`
  }
  return `${date.day} ${formatMonth(date.month, 'en')}${otherYear ? ` ${date.year}` : ''}`
}

/** "2026年12月3日": documents always carry the year. */
export function formatFullDate(at: Date | string, locale: Locale): string {
  const { year, month, day } = dateParts(at)
  return locale === 'zh' ? `${year}年${month}月${day}日` : `${day} ${formatMonth(month, 'en')} ${year}`
}

/** "2026-12" -> "2026年12月", "Dec 2026". */
export function formatYearMonth(month: string, locale: Locale): string {
  const [year = '', number = ''] = month.split('-')
  return locale === 'zh' ? `${year}年${Number(number)}月` : `${formatMonth(Number(number), 'en')} ${year}`
}

/** The running month in the shop's time zone and those before it, as "YYYY-MM", newest first. */
export function recentMonths(count: number, now: Date = shopNow()): string[] {
  const { year, month } = dateParts(now)
  return Array.from({ length: count }, (_, back) => {
    const months = year * 12 + month - 1 - back
    return `${Math.floor(months / 12)}-${String((months % 12) + 1).padStart(2, '0')}`
  })
}

/** "12月3日 14:05". */
export function formatDateTime(at: Date | string, locale: Locale, now: Date = shopNow()): string {
  const { hour, minute } = dateParts(at)
  const time = `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`
  return `${formatDate(at, locale, now)} ${time}`
}

/** When something ends, as people say it: "今天 14:05", "明天 00:10", else the date and time. */
export function formatDeadline(at: Date | string, locale: Locale, now: Date = shopNow()): string {
  const days = daysUntil(at, now)
  const full = formatDateTime(at, locale, now)
  const time = full.slice(full.lastIndexOf(' ') + 1)
  if (days === 0) return locale === 'zh' ? `今天 ${time}` : `${time} today`
  if (days === 1) return locale === 'zh' ? `明天 ${time}` : `${time} tomorrow`
  return full
}

/** Whole calendar days from now until then, in the shop's time zone: today is 0. */
export function daysUntil(at: Date | string, now: Date = shopNow()): number {
  const day = (value: Date | string): number => {
    const { year, month, day } = dateParts(value)
    return Date.UTC(year, month - 1, day) / 86_400_000
  }
  return day(at) - day(now)
}

/** "还有 9 天到期", the way a person says it. */
export function formatExpiry(at: Date | string, locale: Locale, now: Date = shopNow()): string {
  const days = daysUntil(at, now)
  if (locale === 'zh') {
    if (days < 0) return '已到期'
    if (days === 0) return '今天到期'
    if (days === 1) return '明天到期'
    return days <= 60 ? `还有 ${days} 天到期` : `${formatDate(at, locale, now)}到期`
  }
  if (days < 0) return 'expired'
  if (days === 0) return 'expires today'
  if (days === 1) return 'expires tomorrow'
  return days <= 60 ? `expires in ${days} days` : `expires ${formatDate(at, locale, now)}`
}

/** Seconds -> "14:32", never below zero. */
export function formatCountdown(seconds: number): string {
  const left = Math.max(0, Math.ceil(seconds))
  return `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}`
}
