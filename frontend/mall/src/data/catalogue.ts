import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/vue-query'
import { computed, type Ref } from 'vue'
import type { SearchQuery, Shelf } from '@shared/api/types'
import type { Category, Named } from '@shared/api/types'
import { locale } from '@shared/i18n/locale'
import { api } from '@shared/session/session'

/** A category in the page's language, where the shop has it. */
export function categoryName(category: Category | undefined): string {
  if (!category) return ''
  return (locale.value === 'en' && category.name_en) || category.name
}

export function useCategories() {
  const query = useQuery({ queryKey: ['categories'], queryFn: api.categories, staleTime: 600_000 })
  const tree = computed(() => query.data.value?.items ?? [])
  const byKey = computed(() => {
    const found = new Map<string, Category>()
    for (const parent of tree.value) {
      for (const one of [parent, ...(parent.children)]) {
        found.set(one.id, one)
        if (!found.has(one.name)) found.set(one.name, one)
      }
    }
    return found
  })
  /** By id or by name: an address may carry either. */
  const find = (value: Named | string | undefined): Category | undefined => {
    if (!value) return undefined
    if (typeof value === 'string') return byKey.value.get(value)
    return byKey.value.get(value.id) ?? byKey.value.get(value.name)
  }
  return { query, tree, find }
}

/** A first few hits, for a shelf on the home page. */
export function useShelf(search: Ref<SearchQuery>, enabled: Ref<boolean>) {
  return useQuery({
    queryKey: ['shelf', search],
    queryFn: ({ signal }) => api.search(search.value, { signal }),
    enabled,
    staleTime: 60_000,
  })
}

export function useSearch(search: Ref<SearchQuery>) {
  return useInfiniteQuery({
    queryKey: ['search', search],
    queryFn: ({ pageParam, signal }) =>
      api.search({ ...search.value, limit: 20, cursor: pageParam ?? undefined }, { signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: keepPreviousData,
  })
}

export function useSuggestions(text: Ref<string>) {
  return useQuery({
    queryKey: ['suggest', text],
    queryFn: ({ signal }) => api.suggest(text.value, { signal }),
    enabled: computed(() => text.value.trim().length > 0),
    placeholderData: keepPreviousData,
    staleTime: 120_000,
    retry: false,
  })
}

export function useProduct(productId: Ref<string>) {
  return useQuery({
    queryKey: ['product', productId],
    queryFn: () => api.product(productId.value),
  })
}

export type ShelfKind = 'similar' | 'together'

const SHELVES: Record<ShelfKind, (productId: string, options: { signal: AbortSignal }) => Promise<Shelf>> = {
  similar: api.similar,
  together: api.boughtTogether,
}

/** Goods beside a product. Not worth a second try: the page is whole without them. */
export function useProductShelf(kind: ShelfKind, productId: Ref<string>) {
  return useQuery({
    queryKey: ['product-shelf', kind, productId],
    queryFn: ({ signal }) => SHELVES[kind](productId.value, { signal }),
    staleTime: 60_000,
    retry: false,
  })
}
