import { describe, expect, it } from 'vitest'
import type { SearchItem } from '@shared/api/types'
import { shelfItems } from './shelf'

function item(title: string, category: string, food: boolean): SearchItem {
  return {
    product_id: title,
    title,
    highlight: [],
    image: '',
    price_minor: 100,
    list_price_minor: 100,
    brand: { id: 'b', name: 'b' },
    category: { id: category, name: category },
    merchants: [],
    in_stock: true,
    sold: 0,
    pots: [
      { pot_id: 'any', name: 'any', eligible: true },
      { pot_id: 'food', name: 'food', eligible: food },
    ],
  }
}

const items = [
  item('茶一', '茶', true),
  item('茶二', '茶', true),
  item('糖', '糖', true),
  item('锅一', '锅', false),
  item('锅二', '锅', false),
  item('被', '被', false),
]
const titles = (found: SearchItem[]): string[] => found.map((one) => one.title)

describe('a shelf', () => {
  it('lets categories take turns, each in the order of the hits', () => {
    expect(titles(shelfItems(items, [], 5))).toEqual(['茶一', '糖', '锅一', '被', '茶二'])
  })

  it('leaves out what another shelf shows, unless too little would be left', () => {
    expect(titles(shelfItems(items, ['food'], 3))).toEqual(['锅一', '被', '锅二'])
    expect(titles(shelfItems(items, ['food'], 4))).toEqual(['茶一', '糖', '锅一', '被'])
  })
})
