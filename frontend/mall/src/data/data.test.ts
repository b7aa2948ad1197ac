import { describe, expect, it } from 'vitest'
import type { Cart, CartItem, Pot } from '@shared/api/types'
import { cardPageUrl } from '../checkout/cardPage'
import { safeNext } from '../router'
import { changeItem } from './cart'
import { expiryCalendar } from './expiry'
import { choose, countFilters, filtersOf, isChosen, priceBounds, queryOf, searchOf, steady, toggled, withoutFilters } from './filters'
import { nextExpiry, potsInOrder, toneOf } from './wallet'

const NOW = new Date('2026-11-24T10:00:00Z')

function pot(id: string, lots: [amount: number, at: string][], categories: string[] = []): Pot {
  return {
    id,
    name: id,
    available_minor: lots.reduce((sum, [amount]) => sum + amount, 0),
    held_minor: 0,
    expires: lots.map(([amount, at], n) => ({ lot_id: `${id}${n}`, source: id, amount_minor: amount, granted_minor: amount, at })),
    eligible: { text: '', categories: categories.map((name) => ({ id: name, name })) },
    billing_entity: { id: 'be_1', name: 'be_1' },
    after_expiry: 'return_to_budget',
  }
}

const food = pot('food', [[40000, '2026-12-02T16:00:00Z']], ['食品'])
const any = pot('any', [[120000, '2027-06-29T16:00:00Z'], [26240, '2027-02-13T16:00:00Z'], [0, '2026-11-25T00:00:00Z']])

describe('pots', () => {
  it('stand with the widest first, whatever order they came in', () => {
    expect(potsInOrder([food, any]).map((one) => one.id)).toEqual(['any', 'food'])
  })

  it('keep their jade when another is spent', () => {
    expect([toneOf('any', [any, food]), toneOf('food', [any, food])]).toEqual(['credit', 'credit-second'])
    expect(toneOf('food', [food])).toBe('credit-second')
    expect(toneOf('any', [food])).toBe('credit')
    expect(toneOf('food', [any])).toBe('credit-second')
  })

  it('know what goes first; an empty lot is not it', () => {
    expect(nextExpiry([any, food])?.lot.lot_id).toBe('food0')
    expect(nextExpiry([])).toBeUndefined()
  })

  it('fill the calendar month by month', () => {
    const months = expiryCalendar([any, food], NOW)
    expect(months.map((one) => one.month)).toEqual([11, 12, 1, 2, 3, 4, 5, 6])
    expect(months.map((one) => one.amount_minor)).toEqual([0, 40000, 0, 26240, 0, 0, 0, 120000])
    expect(months.map((one) => one.soon)).toEqual([false, true, false, false, false, false, false, false])
    expect(months[7]).toEqual({ year: 2027, month: 6, amount_minor: 120000, potId: 'any', soon: false })
  })
})

describe('filters', () => {
  const query = { q: '蚕丝被', pot: 'pot_1', sort: 'price_asc', brand: ['a', 'b'], 'attribute.颜色': ['墨绿', '米白'], price: '5000-', stock: '1' }

  it('live in the address and come back the same', () => {
    expect(queryOf(filtersOf(query))).toEqual(query)
    expect(searchOf(filtersOf(query))).toEqual({
      q: '蚕丝被', pot: 'pot_1', sort: 'price_asc', category: [], brand: ['a', 'b'], merchant: [], attribute: { 颜色: ['墨绿', '米白'] }, price: ['5000-'], in_stock: true, verbatim: false,
    })
  })

  it('ignore what an address should not say', () => {
    for (const price of ['1;2', '-', '5', '1-2-3']) {
      expect(queryOf(filtersOf({ sort: 'drop', price, 'attribute.': 'x', 'attribute.颜色': '' }))).toEqual({})
    }
  })

  it('are counted, switched and cleared', () => {
    expect(countFilters(filtersOf(query))).toBe(6)
    expect(toggled(['a'], 'b')).toEqual(['a', 'b'])
    expect(toggled(['a', 'b'], 'a')).toEqual(['b'])
    expect(queryOf(withoutFilters(filtersOf(query)))).toEqual({ q: '蚕丝被', pot: 'pot_1', sort: 'price_asc' })
  })
})

describe('a value of the filter sheet', () => {
  const filters = filtersOf({ category: 'c1', price: '0-4999', brand: 'a', 'attribute.颜色': ['墨绿'] })

  it('is chosen by a tap and given up by the next', () => {
    expect(choose(filters, 'brand', 'b')).toEqual({ brand: ['a', 'b'] })
    expect(choose(filters, 'price', '0-4999')).toEqual({ price: '' })
    expect(choose(filters, 'attribute.颜色', '米白')).toEqual({ attributes: { 颜色: ['墨绿', '米白'] } })
    expect(choose(filters, 'attribute.颜色', '墨绿')).toEqual({ attributes: { 颜色: [] } })
    expect(choose(filters, 'attribute.尺寸', '大')).toEqual({ attributes: { 颜色: ['墨绿'], 尺寸: ['大'] } })
    const keys = [['category', 'c1'], ['price', '0-4999'], ['brand', 'a'], ['attribute.颜色', '墨绿'], ['attribute.尺寸', '大']] as const
    expect(keys.map(([key, value]) => isChosen(filters, key, value))).toEqual([true, true, true, true, false])
  })

  it('leaves the attributes of another category behind', () => {
    expect(choose(filters, 'category', 'c2')).toEqual({ category: 'c2', attributes: {} })
  })

  it('stays where it was seen', () => {
    expect(steady(['b', 'a', 'c'], ['a', 'd', 'b'])).toEqual(['b', 'a', 'd'])
  })

  it('says a price up to the next round one', () => {
    expect(priceBounds('10000-19999')).toEqual({ low: 10000, high: 20000 })
    expect(priceBounds('-5000')).toEqual({ low: null, high: 5000 })
    expect(priceBounds('100000-')).toEqual({ low: 100000, high: null })
  })
})

describe('cart between a tap and its answer', () => {
  const item = (id: string, price: number, extra: Partial<CartItem> = {}): CartItem => ({
    offer_id: id, product_id: id, title: id, sku_name: '', image: '', price_minor: price, quantity: 1, available: 9, chosen: true, problem: null, pots: [], ...extra,
  })
  const cart: Cart = {
    groups: [
      { merchant: { id: 'm1', name: 'm1' }, freight_minor: 0, free_from_minor: null, items: [item('a', 1000), item('b', 500, { problem: { code: 'sold_out', detail: '' } })] },
      { merchant: { id: 'm2', name: 'm2' }, freight_minor: 0, free_from_minor: null, items: [item('c', 300, { chosen: false })] },
    ],
    count: 3,
    chosen_total_minor: 1000,
  }

  it('adds up only what is chosen and can be bought', () => {
    const next = changeItem(cart, 'a', { quantity: 3 })
    expect(next.count).toBe(5)
    expect(next.chosen_total_minor).toBe(3000)
    expect(changeItem(cart, 'c', { chosen: true }).chosen_total_minor).toBe(1300)
  })

  it('drops a merchant with its last line', () => {
    expect(changeItem(cart, 'c', null).groups.map((group) => group.merchant.id)).toEqual(['m1'])
  })
})

describe('ways out of the page', () => {
  it('come back from the card page to the page that waits', () => {
    expect(cardPageUrl('/gateway/pay/pi_1?client_secret=s&return_url=x', 'ord_1', 'http://mall.test')).toBe(
      'http://mall.test/gateway/pay/pi_1?client_secret=s&return_url=http%3A%2F%2Fmall.test%2Fpay%2Ford_1%3Ffrom%3Dcard',
    )
  })

  it('lead only to this site after sign-in', () => {
    expect(safeNext('/orders?state=paid')).toBe('/orders?state=paid')
    for (const bad of ['//evil.example', 'https://evil.example', '/\\evil.example', undefined, ['/a']]) {
      expect(safeNext(bad)).toBe('/')
    }
  })
})
