import type { ApiClient, Query } from './client'
import type * as T from './types'

type Signal = { signal?: AbortSignal }

const id = encodeURIComponent

/** Where the operators' search desk stands. */
const DESK = '/admin/search'

/** Chosen attributes as they are sent: a parameter for each name. */
function byName(attribute: T.SearchQuery['attribute'] = {}): Query {
  return Object.fromEntries(
    Object.entries(attribute).map(([name, values]) => [`attribute.${name}`, values]),
  )
}

/** Every call that the pages make, named and typed in one place. */
export function endpoints(client: ApiClient) {
  return {
    me: () => client.get<T.Me>('/me'),
    login: (body: { login: string; password: string }) =>
      client.send<T.Me>('POST', '/auth/login', { body }),
    logout: () => client.send<void>('POST', '/auth/logout'),
    switchMembership: (membership_id: string) =>
      client.send<T.Me>('POST', '/auth/switch', { body: { membership_id } }),
    changeSettings: (body: T.Settings) => client.send<T.Settings>('PUT', '/me/settings', { body }),
    demo: () => client.get<T.DemoLogins>('/demo'),

    categories: () => client.get<T.Listing<T.TopCategory>>('/categories'),
    search: ({ in_stock, attribute, ...query }: T.SearchQuery, { signal }: Signal = {}) =>
      client.get<T.SearchAnswer>('/search', {
        query: { ...query, ...byName(attribute), in_stock: in_stock ? 'true' : null },
        signal,
      }),
    suggest: (q: string, { signal }: Signal = {}) =>
      client.get<{ suggestions: T.Suggestion[] }>('/suggest', { query: { q }, signal, timeoutMs: 4000 }),
    searchClick: (body: T.ClickInput) =>
      client.send<void>('POST', '/search/clicks', { body, keepalive: true }),
    product: (productId: string) => client.get<T.Product>(`/products/${id(productId)}`),
    similar: (productId: string, { signal }: Signal = {}) =>
      client.get<T.Shelf>(`/products/${id(productId)}/similar`, { signal }),
    boughtTogether: (productId: string, { signal }: Signal = {}) =>
      client.get<T.Shelf>(`/products/${id(productId)}/bought-together`, { signal }),

    wallet: () => client.get<T.Wallet>('/wallet'),
    statement: (query: T.StatementQuery) =>
      client.get<T.Page<T.StatementEntry>>('/wallet/statement', { query }),

    cart: () => client.get<T.Cart>('/cart'),
    putCartItem: (offerId: string, body: T.CartItemInput) =>
      client.send<T.Cart>('PUT', `/cart/items/${id(offerId)}`, { body }),
    deleteCartItem: (offerId: string) =>
      client.send<T.Cart>('DELETE', `/cart/items/${id(offerId)}`),

    addresses: () => client.get<T.Listing<T.Address>>('/addresses'),
    createAddress: (body: T.AddressInput) => client.send<T.Address>('POST', '/addresses', { body }),
    updateAddress: (addressId: string, body: T.AddressInput) =>
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

    orders: (query: T.OrdersQuery) =>
      client.get<T.Page<T.OrderSummary>>('/orders', { query }),
    order: (orderId: string) => client.get<T.OrderDetail>(`/orders/${id(orderId)}`),
    cancelOrder: (orderId: string) =>
      client.command<T.OrderDetail>(`/orders/${id(orderId)}/cancel`, {
        intent: `cancel.${orderId}`,
        body: {},
      }),
    confirmReceipt: (orderId: string) =>
      client.command<T.OrderDetail>(`/orders/${id(orderId)}/confirm-receipt`, {
        intent: `receipt.${orderId}`,
        body: {},
      }),
    previewAfterSale: (orderId: string, body: T.AfterSaleRequest, { signal }: Signal = {}) =>
      client.send<T.AfterSalePreview>('POST', `/orders/${id(orderId)}/after-sales/preview`, {
        body,
        signal,
      }),
    requestAfterSale: (orderId: string, body: T.AfterSaleRequest) =>
      client.command<T.Refund>(`/orders/${id(orderId)}/after-sales`, {
        intent: `after-sale.${orderId}`,
        body,
      }),
    invoice: (orderId: string) => client.get<T.Invoice>(`/orders/${id(orderId)}/invoice`),

    overview: () => client.get<T.Overview>('/enterprise/overview'),
    enterpriseOrders: (query: T.EnterpriseOrdersQuery) =>
      client.get<T.EnterpriseOrders>('/enterprise/orders', { query }),

    synonyms: (query: T.SynonymsQuery) => client.get<T.Page<T.Synonym>>(`${DESK}/synonyms`, { query }),
    addSynonym: (body: T.SynonymInput) =>
      client.command<T.Synonym>(`${DESK}/synonyms`, { intent: 'synonym.add', body }),
    changeSynonym: (synonymId: string, body: T.SynonymInput) =>
      client.send<T.Synonym>('PUT', `${DESK}/synonyms/${id(synonymId)}`, { body }),
    deleteSynonym: (synonymId: string) =>
      client.send<void>('DELETE', `${DESK}/synonyms/${id(synonymId)}`),
    searchRules: (query: T.SearchRulesQuery) =>
      client.get<T.Page<T.SearchRule>>(`${DESK}/rules`, { query }),
    addSearchRule: (body: T.SearchRuleInput) =>
      client.command<T.SearchRule>(`${DESK}/rules`, { intent: 'search-rule.add', body }),
    changeSearchRule: (ruleId: string, body: T.SearchRuleChange) =>
      client.send<T.SearchRule>('PUT', `${DESK}/rules/${id(ruleId)}`, { body }),
    deleteSearchRule: (ruleId: string) => client.send<void>('DELETE', `${DESK}/rules/${id(ruleId)}`),
    withdrawSearchRule: (ruleId: string) =>
      client.send<T.SearchRule>('POST', `${DESK}/rules/${id(ruleId)}/withdraw`),
    publishSearchRules: (body: T.SearchListName) =>
      client.send<{ published: number }>('POST', `${DESK}/rules/publish`, { body }),
    searchPreview: (query: T.SearchPreviewQuery) =>
      client.get<T.SearchPreview>(`${DESK}/preview`, { query }),
    enterprises: (query: T.EnterprisesQuery) =>
      client.get<T.Page<T.EnterpriseName>>('/admin/enterprises', { query }),
    zeroResults: (query: T.ZeroResultsQuery) =>
      client.get<T.QueryReport>(`${DESK}/reports/zero-results`, { query }),
    lowClicks: (query: T.LowClicksQuery) =>
      client.get<T.QueryReport>(`${DESK}/reports/low-clicks`, { query }),
  }
}

export type Api = ReturnType<typeof endpoints>

/** Where an order's invoice can be taken away as a file. */
export function invoiceFileUrl(orderId: string, format: 'pdf' | 'xml'): string {
  return `/api/v1/orders/${id(orderId)}/invoice.${format}`
}
