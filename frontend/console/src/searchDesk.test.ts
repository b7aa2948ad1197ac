import { describe, expect, it } from 'vitest'
import { lastDays, localOf, momentOf, wordsOf } from './searchDesk'

describe('the search desk', () => {
  it('reads words however they are separated', () => {
    expect(wordsOf(' 番茄，西红柿、 tomato\nlove apple,番茄 ,,')).toEqual(['番茄', '西红柿', 'tomato', 'love apple'])
    expect(wordsOf(' ，\n')).toEqual([])
  })

  it('keeps the time of the shop, wherever the browser is', () => {
    expect(localOf('2026-11-30T16:30:00Z')).toBe('2026-12-01T00:30')
    expect(localOf(null)).toBe('')
    expect(momentOf('2026-12-01T00:30')).toBe('2026-12-01T00:30:00+08:00')
    expect(momentOf('')).toBeNull()
    expect(Date.parse(momentOf(localOf('2026-02-28T23:59:00Z')) ?? '')).toBe(Date.parse('2026-02-28T23:59:00Z'))
  })

  it('counts days by the calendar of the shop', () => {
    const late = new Date('2026-11-30T16:30:00Z')
    expect(lastDays(1, late)).toEqual({ first: '2026-12-01', last: '2026-12-01' })
    expect(lastDays(7, late)).toEqual({ first: '2026-11-25', last: '2026-12-01' })
  })
})
