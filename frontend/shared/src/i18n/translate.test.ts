import { afterEach, describe, expect, it } from 'vitest'
import { locale } from './locale'
import { fill, makeTranslate } from './translate'

const t = makeTranslate({
  'cart.n': ['购物车 {n}', '{n} item|{n} items'],
  hello: ['{hello}，{name}', '{hello}, {name}'],
})

afterEach(() => {
  locale.value = 'zh'
})

describe('texts', () => {
  it('follows the language at once', () => {
    expect(t('hello', { hello: '早上好', name: '小林' })).toBe('早上好，小林')
    locale.value = 'en'
    expect(t('hello', { hello: 'Hi', name: 'Lin' })).toBe('Hi, Lin')
  })

  it('knows one from many', () => {
    locale.value = 'en'
    expect(t('cart.n', { n: 1 })).toBe('1 item')
    expect(t('cart.n', { n: 3 })).toBe('3 items')
  })

  it('leaves a gap visible where a value is missing', () => {
    expect(fill('{a} {b}', { a: 1 })).toBe('1 {b}')
  })
})
