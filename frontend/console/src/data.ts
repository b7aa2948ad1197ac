import { useInfiniteQuery, useQuery } from '@tanstack/vue-query'
import type { Ref } from 'vue'
import { api } from '@shared/session/session'

export function useOverview() {
  return useQuery({ queryKey: ['overview'], queryFn: api.overview })
}

/** `month` is "YYYY-MM" or "" for all. */
export function useEnterpriseOrders(month: Ref<string>, limit: number) {
  return useInfiniteQuery({
    queryKey: ['enterprise-orders', month, limit],
    queryFn: ({ pageParam }) =>
      api.enterpriseOrders({ month: month.value, cursor: pageParam ?? undefined, limit }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
  })
}

export function useInvoice(orderId: Ref<string>) {
  return useQuery({
    queryKey: ['invoice', orderId],
    queryFn: () => api.invoice(orderId.value),
  })
}
