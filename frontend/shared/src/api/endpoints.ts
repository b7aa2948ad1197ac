import type { ApiClient } from './client'
import type * as T from './types'

type Signal = { signal?: AbortSignal }

export interface SearchQuery {
  q?: string
  category?: string
  brand?: readonly string[]
  merchant?: readonly string[]
  price_min?: number | null
  price_max?: number | null
  in_stock?: boolean
  pot?: string
  sort?: string
  limit?: number
  cursor?: string | null
}

const id = encodeURIComponent

/** Every call that the pages make, named and typed in one place. */
export function endpoints(client: ApiClient) {
  return {
    me: () => client.get<T.Me>('/me'),
    login: (body: { login: string; password: string }) =>
      client.send<T.Me>('POST', '/auth/login', { body }),
    logout: () => client.send<void>('POST', '/auth/logout'),
    switchMembership: (membership_id: string) =>
      client.send<T.Me>('POST', '/auth/switch', { body: { membership_id } }),
    demo: () => client.get<T.DemoLogins>('/demo'),

    categories: () => client.get<T.Listing<T.Category>>('/categories'),
    search: ({ in_stock, ...query }: SearchQuery, { signal }: Signal = {}) =>
      client.get<T.SearchAnswer>('/search', {
        query: { ...query, in_stock: in_stock ? 'true' : null },
        signal,
      }),
    suggest: (q: string, { signal }: Signal = {}) =>
      client.get<{ suggestions: T.Suggestion[] }>('/suggest', { query: { q }, signal, timeoutMs: 4000 }),
    product: (productId: string) => client.get<T.Product>(`/products/${id(productId)}`),

    wallet: () => client.get<T.Wallet>('/wallet'),
    statement: (query: { pot?: string; cursor?: string | null; limit?: number }) =>
      client.get<T.Page<T.StatementEntry>>('/wallet/statement', { query }),

    cart: () => client.get<T.Cart>('/cart'),
    putCartItem: (offerId: string, body: { quantity: number; chosen?: boolean }) =>
      client.send<T.Cart>('PUT', `/cart/items/${id(offerId)}`, { body }),
    deleteCartItem: (offerId: string) =>
      client.send<T.Cart | undefined>('DELETE', `/cart/items/${id(offerId)}`),

    addresses: () => client.get<T.Listing<T.Address>>('/addresses'),
    createAddress: (body: T.AddressInput) => client.send<T.Address>('POST', '/addresses', { body }),
    updateAddress: (addressId: string, body: Partial<T.AddressInput>) =>
      client.send<T.Address>('PUT', `/addresses/${id(addressId)}`, { body }),
    deleteAddress: (addressId: string) =>
      client.send<void>('DELETE', `/addresses/${id(addressId)}`),
    regions: (parent?: string) => client.get<T.Listing<T.Region>>('/regions', { query: { parent } }),

    quote: (body: T.QuoteRequest, { signal }: Signal = {}) =>
      client.send<T.Quote>('POST', '/checkout/quotes', { body, signal }),
    placeOrder: (quoteId: string) =>
      client.command<T.PlacedOrder>('/checkout/orders', {
        intent: `order.${quoteId}`,
        body: { quote_id: quoteId },
      }),

    orders: (query: { state?: string; cursor?: string | null; limit?: number }) =>
      client.get<T.Page<T.OrderSummary>>('/orders', { query }),
    order: (orderId: string) => client.get<T.OrderDetail>(`/orders/${id(orderId)}`),
    cancelOrder: (orderId: string) =>
      client.command<T.OrderDetail | undefined>(`/orders/${id(orderId)}/cancel`, {
        intent: `cancel.${orderId}`,
        body: {},
      }),
    confirmReceipt: (orderId: string) =>
      client.command<T.OrderDetail | undefined>(`/orders/${id(orderId)}/confirm-receipt`, {
        intent: `receipt.${orderId}`,
        body: {},
      }),
    previewAfterSale: (orderId: string, body: T.AfterSaleRequest, { signal }: Signal = {}) =>
      client.send<T.AfterSaleAnswer>('POST', `/orders/${id(orderId)}/after-sales/preview`, {
        body,
        signal,
      }),
    requestAfterSale: (orderId: string, body: T.AfterSaleRequest) =>
      client.command<T.AfterSaleAnswer>(`/orders/${id(orderId)}/after-sales`, {
        intent: `after-sale.${orderId}`,
        body,
      }),
    invoice: (orderId: string) => client.get<T.Invoice>(`/orders/${id(orderId)}/invoice`),

    overview: () => client.get<T.Overview>('/enterprise/overview'),
    enterpriseOrders: (query: { cursor?: string | null; limit?: number; month?: string }) =>
      client.get<T.EnterpriseOrders>('/enterprise/orders', { query }),
  }
}

export type Api = ReturnType<typeof endpoints>

/** Where an order's invoice can be taken away as a file. */
export function invoiceFileUrl(orderId: string, format: 'pdf' | 'xml'): string {
  return `/api/v1/orders/${id(orderId)}/invoice.${format}`
}
