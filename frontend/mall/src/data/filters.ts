import type { LocationQuery, LocationQueryRaw } from 'vue-router'
import type { SearchQuery, Sort } from '@shared/api/types'

/** What a results page is asked for. It lives in the address, so it can be shared and gone back to. */
export interface Filters {
  q: string
  pot: string
  sort: Sort
  category: string
  brand: string[]
  merchant: string[]
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
    price: /^\d*-\d*$/.test(price) ? price : '',
    inStock: one(query.stock) === '1',
    verbatim: one(query.verbatim) === '1',
  }
}

export function queryOf(filters: Filters): LocationQueryRaw {
  const query: LocationQueryRaw = {}
  if (filters.q) query.q = filters.q
  if (filters.pot) query.pot = filters.pot
  if (filters.sort !== 'relevance') query.sort = filters.sort
  if (filters.category) query.category = filters.category
  if (filters.brand.length) query.brand = filters.brand
  if (filters.merchant.length) query.merchant = filters.merchant
  if (filters.price) query.price = filters.price
  if (filters.inStock) query.stock = '1'
  if (filters.verbatim) query.verbatim = '1'
  return query
}

export function priceRange(price: string): { price_min: number | null; price_max: number | null } {
  const [low = '', high = ''] = price.split('-')
  return {
    price_min: low ? Number(low) : null,
    price_max: high ? Number(high) : null,
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
    in_stock: filters.inStock,
    verbatim: filters.verbatim,
    ...priceRange(filters.price),
  }
}

/** How many filters of the sheet are on (the pot and the sort have their own place). */
export function countFilters(filters: Filters): number {
  return (
    filters.brand.length +
    filters.merchant.length +
    Number(Boolean(filters.category)) +
    Number(Boolean(filters.price)) +
    Number(filters.inStock)
  )
}

export function withoutFilters(filters: Filters): Filters {
  return { ...filters, category: '', brand: [], merchant: [], price: '', inStock: false }
}

/** Switches one value of a list on or off. */
export function toggled(values: readonly string[], value: string): string[] {
  return values.includes(value) ? values.filter((each) => each !== value) : [...values, value]
}
