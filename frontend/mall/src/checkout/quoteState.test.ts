import { describe, expect, it } from 'vitest'
import type { Quote, QuoteLine } from '@shared/api/types'
import {
  answered,
  asked,
  blockingRefusals,
  compareQuotes,
  failed,
  newState,
  pointsMax,
  pointsWorth,
  refusalsToShow,
  repriced,
  secondsLeft,
} from './quoteState'

function line(offer: string | null, payable: number, merchant = 'mer_1'): QuoteLine {
  return {
    line_id: `lin_${offer ?? 'freight'}_${payable}`,
    kind: offer ? 'goods' : 'freight',
    merchant: { id: merchant, name: merchant },
    offer_id: offer,
    product_id: offer,
    title: offer ?? '运费',
    sku_name: '',
    image: '',
    unit: '件',
    tax_code: '1040000000000000000',
    rate_bp: 1300,
    quantity: 1,
    unit_price_minor: payable,
    gross_minor: payable,
    discount_minor: 0,
    payable_minor: payable,
  }
}

function quote(id: string, credit: number, lines: QuoteLine[] = [line('蚕丝被', 54900)]): Quote {
  const payable = lines.reduce((sum, one) => sum + one.payable_minor, 0)
  return {
    quote_id: id,
    expires_at: '2026-11-24T10:15:00Z',
    lines,
    discounts: [],
    freight_minor: 0,
    payable_minor: payable,
    saved_minor: 0,
    tenders: {
      credit: [{ pot_id: 'pot_1', name: '通用', amount_minor: credit }],
      points: { points: 0, amount_minor: 0 },
      cash_minor: payable - credit,
    },
    funding: [],
    refusals: [],
    available: { credit: [], points: 30000 },
    billing_entity: null,
  }
}

describe('asking and answering', () => {
  it('keeps the old quote on the screen until the new one is here', () => {
    let state = asked(newState())
    state = answered(state, state.turn, quote('q1', 50000))
    state = asked(state, { credit: 20000, points: 0 })
    expect(state.quote?.quote_id).toBe('q1')
    expect(state.busy).toBe(true)
    state = answered(state, state.turn, quote('q2', 20000))
    expect(state.quote?.quote_id).toBe('q2')
    expect(state.busy).toBe(false)
  })

  it('drops an answer that a newer wish has overtaken', () => {
    const first = asked(newState())
    const second = asked(first, { credit: 0, points: 0 })
    expect(answered(second, first.turn, quote('old', 50000))).toBe(second)
    expect(failed(second, first.turn, new Error('late'))).toBe(second)
  })

  it('remembers the most credit from the quote that asked for it', () => {
    let state = asked(newState())
    state = answered(state, state.turn, quote('q1', 50000))
    expect(state.creditMax).toBe(50000)
    state = asked(state, { credit: 0, points: 0 })
    state = answered(state, state.turn, quote('q2', 0))
    expect(state.creditMax).toBe(50000)
  })

  it('never lets the most credit pass what is payable', () => {
    let state = asked(newState())
    state = answered(state, state.turn, quote('q1', 54900))
    state = asked(state, { credit: 100, points: 0 })
    state = answered(state, state.turn, quote('q2', 100, [line('枕', 21900)]))
    expect(state.creditMax).toBe(21900)
  })

  it('keeps the quote when a refresh fails, and says why', () => {
    let state = asked(newState())
    state = answered(state, state.turn, quote('q1', 50000))
    state = asked(state)
    const error = new Error('timeout')
    state = failed(state, state.turn, error)
    expect(state.quote?.quote_id).toBe('q1')
    expect(state.error).toBe(error)
    expect(state.busy).toBe(false)
  })
})

describe('a changed price', () => {
  it('shows what changed and waits for another yes', () => {
    let state = asked(newState())
    state = answered(state, state.turn, quote('q1', 50000, [line('蚕丝被', 54900), line(null, 800)]))
    state = repriced(state, quote('q2', 50000, [line('蚕丝被', 59900), line(null, 800)]))
    expect(state.quote?.quote_id).toBe('q2')
    expect(state.changes).toEqual([
      { kind: 'line', title: '蚕丝被', from: 54900, to: 59900 },
      { kind: 'total', from: 55700, to: 60700 },
    ])
  })

  it('is no longer news once the person changes a tender', () => {
    let state = asked(newState())
    state = answered(state, state.turn, quote('q1', 50000))
    state = repriced(state, quote('q2', 50000, [line('蚕丝被', 59900)]))
    state = asked(state, { credit: 0, points: 0 })
    expect(state.changes).toHaveLength(2)
    state = answered(state, state.turn, quote('q3', 0, [line('蚕丝被', 59900)]))
    expect(state.changes).toEqual([])
  })

  it('names a line that is gone, and nothing where all is the same', () => {
    const before = quote('q1', 0, [line('蚕丝被', 54900), line('枕', 21900)])
    expect(compareQuotes(before, quote('q2', 0, [line('枕', 21900)]))).toEqual([
      { kind: 'gone', title: '蚕丝被' },
      { kind: 'total', from: 76800, to: 21900 },
    ])
    expect(compareQuotes(before, before)).toEqual([])
  })
})

describe('limits', () => {
  it('offers points for what credit leaves open, and no more than there are', () => {
    expect(pointsMax(quote('q', 50000), 100)).toBe(4900)
    expect(pointsWorth(quote('q', 50000), 100)).toBe(4900)
    expect(pointsMax(quote('q', 0), 100)).toBe(30000)
    expect(pointsMax(quote('q', 54900), 100)).toBe(0)
  })

  it('counts whole seconds to the end of the quote', () => {
    expect(secondsLeft(quote('q', 0), new Date('2026-11-24T10:00:28Z'))).toBe(872)
    expect(secondsLeft(quote('q', 0), new Date('2026-11-24T11:00:00Z'))).toBe(0)
  })

  it('says that a pot cannot pay only where credit left something open', () => {
    const one = quote('q', 0, [line('蚕丝被', 54900), line('月饼', 16800)])
    const [quilt, cake] = one.lines
    if (!quilt || !cake) throw new Error('two lines')
    one.funding = [
      { line_id: cake.line_id, source: 'lot:lot_1', source_name: '通用', pot_id: 'pot_1', amount_minor: 16800 },
      { line_id: quilt.line_id, source: 'points', source_name: '积分', pot_id: null, amount_minor: 54900 },
    ]
    one.refusals = [
      { line_id: quilt.line_id, pot_id: 'pot_2', code: 'pot_not_eligible', detail: '寝具不在范围内' },
      { line_id: cake.line_id, pot_id: 'pot_2', code: 'pot_not_eligible', detail: '食品不在范围内' },
      { line_id: cake.line_id, pot_id: null, code: 'sold_out', detail: '卖完了' },
    ]
    one.available.credit = [{ pot_id: 'pot_2', name: '中秋食品', available_minor: 100 }]
    expect(refusalsToShow(one, quilt).map((each) => each.detail)).toEqual(['寝具不在范围内'])
    expect(refusalsToShow(one, cake).map((each) => each.detail)).toEqual(['卖完了'])

    one.available.credit = [{ pot_id: 'pot_2', name: '中秋食品', available_minor: 0 }]
    expect(refusalsToShow(one, quilt)).toEqual([])
  })

  it('stops an order only for what no other tender solves', () => {
    const one = quote('q', 0)
    one.refusals = [
      { line_id: 'l', pot_id: 'pot_1', code: 'category_not_eligible', detail: '寝具不在范围内' },
      { line_id: 'l', pot_id: null, code: 'region_not_served', detail: '送不到这里' },
    ]
    expect(blockingRefusals(one).map((each) => each.code)).toEqual(['region_not_served'])
  })
})
