import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/vue-query'
import { computed, type Ref } from 'vue'
import type { SearchListName, SearchRule, SearchRuleInput, Synonym, SynonymInput } from '@shared/api/types'
import { shopNow } from '@shared/format/clock'
import { dateParts } from '@shared/format/dates'
import { api } from '@shared/session/session'

/** What the operators' search desk reads and writes. */

const PAGE = 20

export function useSynonyms(q: Ref<string>) {
  return useInfiniteQuery({
    queryKey: ['synonyms', q],
    queryFn: ({ pageParam }) => api.synonyms({ q: q.value, cursor: pageParam ?? undefined, limit: PAGE }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
  })
}

/** Rules of one list, or with neither name of all. */
export function useSearchRules(list: Ref<SearchListName>) {
  return useInfiniteQuery({
    queryKey: ['search-rules', list],
    queryFn: ({ pageParam }) => api.searchRules({ ...list.value, cursor: pageParam ?? undefined, limit: 50 }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
  })
}

export const isNamed = (list: SearchListName): boolean => Boolean(list.query || list.category)

/** Of all goods, or with an enterprise's id as its people see them. */
export function useSearchPreview(list: Ref<SearchListName>, enterprise: Ref<string>) {
  return useQuery({
    queryKey: ['search-preview', list, enterprise],
    queryFn: () => api.searchPreview({ ...list.value, enterprise: enterprise.value }),
    enabled: computed(() => isNamed(list.value)),
    // What rules make of a list is asked again each time somebody looks.
    staleTime: 0,
  })
}

export function useEnterprises(q: Ref<string>) {
  return useInfiniteQuery({
    queryKey: ['enterprises', q],
    queryFn: ({ pageParam }) => api.enterprises({ q: q.value, cursor: pageParam ?? undefined, limit: PAGE }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
  })
}

export function useCategories() {
  return useQuery({ queryKey: ['categories'], queryFn: api.categories, staleTime: 600_000 })
}

export function useFoundProducts(text: Ref<string>) {
  return useQuery({
    queryKey: ['found-products', text],
    queryFn: ({ signal }) => api.search({ q: text.value, limit: 8 }, { signal }),
    enabled: computed(() => text.value.trim() !== ''),
  })
}

export type ReportKind = 'zero' | 'low'

export function useQueryReport(kind: Ref<ReportKind>, days: Ref<number>) {
  return useInfiniteQuery({
    queryKey: ['query-report', kind, days],
    queryFn: ({ pageParam }) => {
      const asked = { ...lastDays(days.value), cursor: pageParam ?? undefined, limit: PAGE }
      return kind.value === 'zero' ? api.zeroResults(asked) : api.lowClicks(asked)
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
  })
}

/** A change, after which the named lists are read again. */
function useChange<Given, Made>(work: (given: Given) => Promise<Made>, ...keys: string[]) {
  const client = useQueryClient()
  return useMutation({
    mutationFn: work,
    onSuccess: () => Promise.all(keys.map((key) => client.invalidateQueries({ queryKey: [key] }))),
  })
}

export function useSaveSynonym() {
  return useChange(
    ({ id, body }: { id?: string; body: SynonymInput }): Promise<Synonym> =>
      id ? api.changeSynonym(id, body) : api.addSynonym(body),
    'synonyms',
    'query-report',
  )
}

export function useDeleteSynonym() {
  return useChange((id: string) => api.deleteSynonym(id), 'synonyms', 'query-report')
}

const OF_RULES = ['search-rules', 'search-preview', 'query-report']

export function useSaveRule() {
  return useChange(({ id, body }: { id?: string; body: SearchRuleInput }): Promise<SearchRule> => {
    const { publish, ...rule } = body
    return id ? api.changeSearchRule(id, rule) : api.addSearchRule({ ...rule, publish })
  }, ...OF_RULES)
}

export function useDeleteRule() {
  return useChange((id: string) => api.deleteSearchRule(id), ...OF_RULES)
}

export function useWithdrawRule() {
  return useChange((id: string) => api.withdrawSearchRule(id), ...OF_RULES)
}

export function usePublishRules() {
  return useChange((list: SearchListName) => api.publishSearchRules(list), ...OF_RULES)
}

// Words and times as forms have them

/** "番茄， 西红柿" -> ["番茄", "西红柿"]. */
export function wordsOf(text: string): string[] {
  return [...new Set(text.split(/[,，、;；\n]+/).map((word) => word.trim()).filter(Boolean))]
}

/** A moment as the shop's clock shows it, for an input: "2026-12-01T09:00". */
export function localOf(at: string | null): string {
  if (!at) return ''
  const { year, month, day, hour, minute } = dateParts(at)
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${year}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}`
}

/** The other way round; China keeps one time all the year. */
export function momentOf(local: string): string | null {
  return local ? `${local.slice(0, 16)}:00+08:00` : null
}

/** The last so many days of the shop's calendar, today included. */
export function lastDays(days: number, now: Date = shopNow()): { first: string; last: string } {
  const day = (at: Date): string => localOf(at.toISOString()).slice(0, 10)
  return { first: day(new Date(now.getTime() - (days - 1) * 86_400_000)), last: day(now) }
}
