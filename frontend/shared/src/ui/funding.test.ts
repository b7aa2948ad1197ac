import { mount } from '@vue/test-utils'
import { describe, expect, it } from 'vitest'
import FundingBar from './FundingBar.vue'
import FundingLine from './FundingLine.vue'
import { fundingAlternative, fundingWords, segmentsOf, type FundingNames, type Segment } from './funding'

const names: FundingNames = {
  points: '积分',
  cash: '卡',
  toneOfPot: (potId) => (potId === 'pot_food' ? 'credit-second' : 'credit'),
}

const parts = [
  { line_id: 'l1', source: 'cash', source_name: '银行卡', amount_minor: 11700 },
  { line_id: 'l1', source: 'lot:lot_1', source_name: '通用', pot_id: 'pot_any', amount_minor: 30000 },
  { line_id: 'l1', source: 'points', source_name: '积分', amount_minor: 10000 },
  { line_id: 'l2', source: 'lot:lot_9', source_name: '中秋食品', pot_id: 'pot_food', amount_minor: 16800 },
  { line_id: 'l2', source: 'lot:lot_2', source_name: '通用', pot_id: 'pot_any', amount_minor: 3200 },
]

describe('segments', () => {
  it('add up the lots of a pot and stand in the order credit, points, card', () => {
    expect(segmentsOf(parts, names)).toEqual([
      { tone: 'credit', label: '通用', amount_minor: 33200 },
      { tone: 'credit-second', label: '中秋食品', amount_minor: 16800 },
      { tone: 'points', label: '积分', amount_minor: 10000 },
      { tone: 'cash', label: '卡', amount_minor: 11700 },
    ])
  })

  it('never lose a fen', () => {
    const total = segmentsOf(parts, names).reduce((sum, one) => sum + one.amount_minor, 0)
    expect(total).toBe(parts.reduce((sum, one) => sum + one.amount_minor, 0))
  })

  it('read as words under the bar', () => {
    expect(fundingWords(segmentsOf(parts, names))).toEqual(['通用 332.00', '中秋食品 168.00', '积分 100.00', '卡 117.00'])
  })

  it('say the unused rest to a screen reader only', () => {
    const left: Segment[] = [
      { tone: 'credit', label: '通用', amount_minor: 40000 },
      { tone: 'rest', label: '未使用', amount_minor: 10000 },
    ]
    expect(fundingWords(left)).toEqual(['通用 400.00'])
    expect(fundingAlternative(left, '没有金额')).toBe('通用 ¥400.00，未使用 ¥100.00')
    expect(fundingAlternative([], '没有金额')).toBe('没有金额')
  })
})

describe('FundingBar', () => {
  const segments: Segment[] = [
    { tone: 'credit', label: '通用', amount_minor: 33200 },
    { tone: 'points', label: '积分', amount_minor: 0 },
    { tone: 'cash', label: '卡', amount_minor: 11700 },
  ]

  it('shows what is not zero, in proportion', () => {
    const bar = mount(FundingBar, { props: { segments } })
    const shown = bar.findAll('[data-tone]')
    expect(shown.map((one) => one.attributes('data-tone'))).toEqual(['credit', 'cash'])
    expect(shown.map((one) => (one.element as HTMLElement).style.flexGrow)).toEqual(['33200', '11700'])
  })

  it('has a text alternative with every amount', () => {
    const bar = mount(FundingBar, { props: { segments } })
    expect(bar.attributes('role')).toBe('img')
    expect(bar.attributes('aria-label')).toBe('通用 ¥332.00，卡 ¥117.00')
  })

  it('is followed by its words, which are not read twice', () => {
    const line = mount(FundingLine, { props: { segments } })
    const words = line.get('p')
    expect(words.text().replaceAll('\u200b', '')).toBe('通用 332.00 · 卡 117.00')
    expect(words.attributes('aria-hidden')).toBe('true')
  })
})
