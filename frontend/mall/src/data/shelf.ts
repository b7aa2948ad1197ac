import type { SearchItem } from '@shared/api/types'

/** What of the hits none of these pots may pay; all of them where too little would be left. */
function only(items: readonly SearchItem[], potIds: readonly string[], count: number): readonly SearchItem[] {
  const left = items.filter(
    (item) => !item.pots.some((pot) => pot.eligible && potIds.includes(pot.pot_id)),
  )
  return left.length >= count ? left : items
}

/**
 * The hits for a shelf of `count`: categories take turns in the order they first come, so that ten
 * teas do not hide everything else. `otherPots` have shelves of their own.
 */
export function shelfItems(
  items: readonly SearchItem[],
  otherPots: readonly string[],
  count: number,
): SearchItem[] {
  const rows = new Map<string, SearchItem[]>()
  for (const item of only(items, otherPots, count)) {
    rows.set(item.category.id, [...(rows.get(item.category.id) ?? []), item])
  }
  const mixed: SearchItem[] = []
  for (let turn = 0; mixed.length < count && [...rows.values()].some((row) => row.length > turn); turn += 1) {
    for (const row of rows.values()) {
      const item = row[turn]
      if (item) mixed.push(item)
    }
  }
  return mixed.slice(0, count)
}
