import { describe, expect, it } from 'vitest'
import {
  formatCount,
  formatMoney,
  formatSold,
  formatYuan,
  minorForPoints,
  parseYuan,
  pointsForMinor,
} from './money'

describe('amounts', () => {
  it.each([
    [0, '0.00'],
    [5, '0.05'],
    [100, '1.00'],
    [123450, '1,234.50'],
    [100000000, '1,000,000.00'],
    [-8900, '−89.00'],
    [9007199254740991, '90,071,992,547,409.91'],
  ])('writes %d fen as %s', (minor, text) => {
    expect(formatYuan(minor)).toBe(text)
  })

  it('puts the sign before the ¥', () => {
    expect(formatMoney(123450)).toBe('¥1,234.50')
    expect(formatMoney(-5000)).toBe('−¥50.00')
  })

  it.each([
    ['12', 1200],
    ['12.3', 1230],
    ['12.34', 1234],
    ['1,234.50', 123450],
    [' ¥0.29 ', 29],
    ['1.15', 115], // 1.15 * 100 is 114.99999999999999 in floating point.
    ['8。5', 850],
  ])('reads %s as %d fen', (text, minor) => {
    expect(parseYuan(text)).toBe(minor)
  })

  it.each(['', 'abc', '-1', '1.234', '1e3', '.5', '12345678901'])('refuses %s', (text) => {
    expect(parseYuan(text)).toBeNull()
  })
})

describe('counts and points', () => {
  it('groups thousands', () => {
    expect(formatCount(30000)).toBe('30,000')
    expect(formatCount(-11700)).toBe('−11,700')
  })

  it.each([
    [860, '860'],
    [9999, '9,999'],
    [10000, '1万'],
    [12400, '1.2万'],
    [19999, '1.9万'],
    [200000, '20万'],
  ])('says %d sold as %s', (count, text) => {
    expect(formatSold(count, 'zh')).toBe(text)
  })

  it('keeps the exact number in English', () => {
    expect(formatSold(12400, 'en')).toBe('12,400')
  })

  it('never gives points more worth than they have', () => {
    expect(pointsForMinor(11750, 100)).toBe(11750)
    expect(pointsForMinor(333, 70)).toBe(233)
    expect(minorForPoints(233, 70)).toBe(332)
    expect(minorForPoints(30000, 100)).toBe(30000)
  })
})
