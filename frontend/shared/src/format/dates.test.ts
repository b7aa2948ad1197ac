import { describe, expect, it } from 'vitest'
import {
  daysUntil,
  formatCountdown,
  formatDate,
  formatDateTime,
  formatDeadline,
  formatExpiry,
  formatFullDate,
  formatYearMonth,
  recentMonths,
} from './dates'

const NOW = new Date('2026-11-24T10:00:00Z') // 18:00 in Shanghai

describe('dates', () => {
  it('leaves out this year and names another', () => {
    expect(formatDate('2026-12-02T16:00:00Z', 'zh', NOW)).toBe('12月3日')
    expect(formatDate('2027-06-30T15:59:59Z', 'zh', NOW)).toBe('2027年6月30日')
    expect(formatDate('2026-12-02T16:00:00Z', 'en', NOW)).toBe('3 Dec')
    expect(formatDate('2027-06-30T15:59:59Z', 'en', NOW)).toBe('30 Jun 2027')
  })

  it('always gives the year on a document', () => {
    expect(formatFullDate('2026-12-02T16:00:00Z', 'zh')).toBe('2026年12月3日')
  })

  it('counts months back over the turn of a year, by the shop\'s calendar', () => {
    expect(recentMonths(3, new Date('2026-12-31T16:30:00Z'))).toEqual(['2027-01', '2026-12', '2026-11'])
    expect(formatYearMonth('2026-12', 'zh')).toBe('2026年12月')
    expect(formatYearMonth('2026-02', 'en')).toBe('Feb 2026')
  })

  it('says today and tomorrow where a deadline is near', () => {
    expect(formatDeadline('2026-11-24T13:05:00Z', 'zh', NOW)).toBe('今天 21:05')
    expect(formatDeadline('2026-11-24T16:10:00Z', 'zh', NOW)).toBe('明天 00:10')
    expect(formatDeadline('2026-11-24T16:10:00Z', 'en', NOW)).toBe('00:10 tomorrow')
    expect(formatDeadline('2026-11-26T16:10:00Z', 'zh', NOW)).toBe('11月27日 00:10')
  })

  it("keeps the shop's time zone", () => {
    expect(formatDateTime('2026-11-24T16:05:00Z', 'zh', NOW)).toBe('11月25日 00:05')
  })

  it('counts calendar days, not spans of 24 hours', () => {
    expect(daysUntil('2026-11-24T15:59:59Z', NOW)).toBe(0)
    expect(daysUntil('2026-11-24T16:00:00Z', NOW)).toBe(1)
    expect(daysUntil('2026-12-03T15:59:59Z', NOW)).toBe(9)
    expect(daysUntil('2026-11-23T10:00:00Z', NOW)).toBe(-1)
  })
})

describe('expiry', () => {
  it.each([
    ['2026-11-23T10:00:00Z', '已到期', 'expired'],
    ['2026-11-24T15:00:00Z', '今天到期', 'expires today'],
    ['2026-11-25T10:00:00Z', '明天到期', 'expires tomorrow'],
    ['2026-12-03T10:00:00Z', '还有 9 天到期', 'expires in 9 days'],
    ['2027-06-30T10:00:00Z', '2027年6月30日到期', 'expires 30 Jun 2027'],
  ])('says %s as a person would', (at, zh, en) => {
    expect(formatExpiry(at, 'zh', NOW)).toBe(zh)
    expect(formatExpiry(at, 'en', NOW)).toBe(en)
  })

  it('counts down in minutes and seconds', () => {
    expect(formatCountdown(872)).toBe('14:32')
    expect(formatCountdown(5)).toBe('0:05')
    expect(formatCountdown(-3)).toBe('0:00')
  })
})
