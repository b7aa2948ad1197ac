import type { LocationQuery, LocationQueryRaw } from 'vue-router'
import type { FacetKey, SearchQuery, Sort } from '@shared/api/types'

/** What a results page is asked for. It lives in the address, so it can be shared and gone back to. */
export interface Filters {
  q: string
  pot: string
  sort: Sort
  category: string
  brand: string[]
  merchant: string[]
  /** The chosen values of each attribute, by its name. */
  attributes: Record<string, string[]>
  /** "min-max" in fen, an open end is empty; "" is any price. */
  price: string
  inStock: boolean
  /** The text as it was typed, nothing corrected or taken for a price. */
  verbatim: boolean
}

type Value = LocationQuery[string] | undefined

function one(value: Value): string {
  return (Array.isArray(value) ? value[0] : value) ?? ''
}

function many(value: Value): string[] {
  const all = Array.isArray(value) ? value : [value]
  return all.filter((each): each is string => Boolean(each))
}

const SORTS: readonly Sort[] = ['relevance', 'sales', 'price_asc', 'price_desc', 'newest']

const ATTRIBUTE = 'attribute.'
const PRICE = /^(\d{1,12}-\d{0,12}|-\d{1,12})$/

/** The name in the key of an attribute's facet, "" for any other key. */
export function attributeName(key: string): string {
  return key.startsWith(ATTRIBUTE) ? key.slice(ATTRIBUTE.length) : ''
}

export function filtersOf(query: LocationQuery): Filters {
  const sort = SORTS.find((each) => each === one(query.sort))
  const price = one(query.price)
  return {
    q: one(query.q),
    pot: one(query.pot),
    sort: sort ?? 'relevance',
    category: one(query.category),
    brand: many(query.brand),
    merchant: many(query.merchant),
    attributes: attributesOf(query),
    price: PRICE.test(price) ? price : '',
    inStock: one(query.stock) === '1',
    verbatim: one(query.verbatim) === '1',
  }
}

function attributesOf(query: LocationQuery): Record<string, string[]> {
  const found = Object.entries(query)
    .map(([key, value]) => [attributeName(key), many(value)] as const)
    .filter(([name, values]) => name && values.length)
  return Object.fromEntries(found)
}

export function queryOf(filters: Filters): LocationQueryRaw {
  const query: LocationQueryRaw = {}
  if (filters.q) query.q = filters.q
  if (filters.pot) query.pot = filters.pot
  if (filters.sort !== 'relevance') query.sort = filters.sort
  if (filters.category) query.category = filters.category
  if (filters.brand.length) query.brand = filters.brand
  if (filters.merchant.length) query.merchant = filters.merchant
  for (const [name, values] of Object.entries(filters.attributes)) {
    if (values.length) query[ATTRIBUTE + name] = values
  }
  if (filters.price) query.price = filters.price
  if (filters.inStock) query.stock = '1'
  if (filters.verbatim) query.verbatim = '1'
  return query
}

/** The bounds of a price filter in fen, as people say them: "10000-19999" goes up to 20000. */
export function priceBounds(price: string): { low: number | null; high: number | null } {
  const [low = '', high = ''] = price.split('-')
  const top = Number(high)
  return {
    low: low ? Number(low) : null,
    high: high ? (top % 100 === 99 ? top + 1 : top) : null,
  }
}

export function searchOf(filters: Filters): SearchQuery {
  return {
    q: filters.q,
    pot: filters.pot,
    sort: filters.sort,
    category: filters.category ? [filters.category] : [],
    brand: filters.brand,
    merchant: filters.merchant,
    attribute: filters.attributes,
    price: filters.price ? [filters.price] : [],
    in_stock: filters.inStock,
    verbatim: filters.verbatim,
  }
}

/** How many filters of the sheet are on (the pot and the sort have their own place). */
export function countFilters(filters: Filters): number {
  return (
    filters.brand.length +
    filters.merchant.length +
    Object.values(filters.attributes).flat().length +
    Number(Boolean(filters.category)) +
    Number(Boolean(filters.price)) +
    Number(filters.inStock)
  )
}

export function withoutFilters(filters: Filters): Filters {
  return { ...filters, category: '', brand: [], merchant: [], attributes: {}, price: '', inStock: false }
}

/** Switches one value of a list on or off. */
export function toggled(values: readonly string[], value: string): string[] {
  return values.includes(value) ? values.filter((each) => each !== value) : [...values, value]
}

/** Whether a value of a facet is chosen. */
export function isChosen(filters: Filters, key: FacetKey, value: string): boolean {
  if (key === 'brand' || key === 'merchant') return filters[key].includes(value)
  if (key === 'category' || key === 'price') return filters[key] === value
  return filters.attributes[attributeName(key)]?.includes(value) ?? false
}

/** What a tap on a value of a facet changes. Attributes are those of a category, and go with it. */
export function choose(filters: Filters, key: FacetKey, value: string): Partial<Filters> {
  if (key === 'brand' || key === 'merchant') return { [key]: toggled(filters[key], value) }
  if (key === 'price') return { price: filters.price === value ? '' : value }
  if (key === 'category') return { category: filters.category === value ? '' : value, attributes: {} }
  const name = attributeName(key)
  return { attributes: { ...filters.attributes, [name]: toggled(filters.attributes[name] ?? [], value) } }
}

/** In the order known from before, what is new behind it: nothing moves under a finger. */
export function steady(known: readonly string[], now: readonly string[]): string[] {
  const old = known.filter((each) => now.includes(each))
  return [...old, ...now.filter((each) => !old.includes(each))]
}
