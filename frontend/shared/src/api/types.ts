/**
 * The API's shapes as the pages use them: names for what the server's own document says in
 * `schema.d.ts` (written by `npm run api-types`, compared by `npm run api-check`). Where the
 * document says only "text", the words that can come are named here.
 * Amounts ending in `_minor` are whole fen, times are RFC 3339 in UTC, ids are opaque.
 */
import type { components, paths } from './schema'
import type { Narrow, Whole } from './whole'

type Schemas = components['schemas']
type Answer<Name extends keyof Schemas> = Whole<Schemas[Name]>
type Query<Path extends keyof paths> = paths[Path] extends {
  get: { parameters: { query?: infer Asked } }
}
  ? Exclude<Asked, undefined>
  : never

export type Named = Answer<'NamedAnswer'>

export interface Listing<T> {
  items: T[]
}

export interface Page<T> extends Listing<T> {
  next_cursor: string | null
}

// People

export type Settings = Answer<'SettingsOut'>
export type Role = 'employee' | 'hr' | 'finance' | 'merchant_owner' | 'marketing' | 'operator'
export type Tenant = Narrow<
  Answer<'TenantOut'>,
  { kind: 'enterprise' | 'merchant' | 'bank' | 'platform' }
>
export type Membership = Narrow<Answer<'MembershipOut'>, { tenant: Tenant; roles: Role[] }>
export type Me = Narrow<
  Answer<'MeOut'>,
  {
    user: Narrow<Answer<'UserOut'>, { roles: Role[]; tenant: Tenant }>
    memberships: Membership[]
  }
>

/** Only in the demo world, and therefore not in the document. */
export interface DemoLogins {
  logins: { login: string; title: string }[]
  password?: string
}

// Wallet

export type CreditExpiry = Answer<'CreditExpiryOut'>
export type Pot = Answer<'WalletPotOut'>
export type Wallet = Answer<'WalletOut'>
/** `amount_minor` is fen for CREDIT, points for POINT. */
export type StatementEntry = Narrow<
  Answer<'StatementRowOut'>,
  {
    kind: 'grant' | 'hold' | 'capture' | 'release' | 'expire' | 'refund'
    asset: 'CREDIT' | 'POINT'
  }
>
export type StatementQuery = Query<'/api/v1/wallet/statement'>

// Catalogue

export type Category = Answer<'CategoryOut'>
export type TopCategory = Answer<'TopCategoryOut'>
export type SearchItem = Answer<'ItemOut'>
export type FacetValue = Answer<'FacetValueOut'>
/** What chooses a value: a parameter of the search. Those of attributes end in a name. */
export type FacetKey = 'category' | 'price' | 'brand' | 'merchant' | `attribute.${string}`
export type RelatedCategory = Answer<'RelatedCategoryOut'>
export type SearchAnswer = Answer<'SearchOut'>
/** A shelf of a product page. */
export type Shelf = Answer<'ShelfOut'>
export type SearchQuery = Query<'/api/v1/search'>
export type Sort = NonNullable<SearchQuery['sort']>
export type Suggestion = Narrow<
  Answer<'SuggestionOut'>,
  { kind: 'query' | 'category' | 'brand' | 'product' }
>
/** The reason is told where there is room for it: on a product and in the cart, not in a list. */
export type PotVerdict = Answer<'PotMarkOut'> & Partial<Answer<'PotAnswerOut'>>
export type Offer = Answer<'OfferOut'>
export type Sku = Answer<'SkuOut'>
export type Product = Answer<'ProductOut'>

// Cart and addresses

export type CartItem = Answer<'CartItemOut'>
export type CartGroup = Answer<'CartGroupOut'>
export type Cart = Answer<'CartOut'>
export type CartItemInput = Schemas['CartItemIn']
export type Address = Answer<'AddressOut'>
export type AddressInput = Schemas['AddressIn']
export type Region = Answer<'RegionOut'>

// Checkout

export type PotAmount = Answer<'PotAmountOut'>
export type Tenders = Answer<'TendersOut'>
export type QuoteLine = Narrow<Answer<'LineOut'>, { kind: 'goods' | 'freight' }>
/** Who pays how much of one line: `source` is `lot:{id}`, `points` or `cash`. */
export type FundingPart = Answer<'FundingOut'>
export type Discount = Answer<'DiscountOut'>
export type Refusal = Answer<'RefusalOut'>
export type Quote = Narrow<Answer<'QuoteOut'>, { lines: QuoteLine[] }>
export type QuoteRequest = Narrow<
  Schemas['QuoteIn'],
  { credit_minor?: number | 'max'; points?: number | 'max' }
>
export type Payment = Answer<'PaymentOut'>
export type OrdersQuery = Query<'/api/v1/orders'>
export type OrderState = NonNullable<OrdersQuery['state']>
export type PlacedOrder = Narrow<Answer<'PlacedOrderOut'>, { state: OrderState }>

// Orders

export type OrderSummary = Narrow<Answer<'OrderSummaryOut'>, { state: OrderState }>
export type OrderLine = Narrow<Answer<'OrderLineOut'>, { kind: 'goods' | 'freight' }>
export type Parcel = Answer<'ParcelOut'>
export type SubOrder = Narrow<
  Answer<'SubOrderOut'>,
  { state: 'to_ship' | 'shipped' | 'received' | 'closed' }
>
export type RefundTenders = Narrow<
  Answer<'RefundTendersOut'>,
  { credit: Narrow<Answer<'RefundPotOut'>, { to: 'pot' | 'budget' }>[] }
>
export type Refund = Narrow<Answer<'RefundOut'>, { tenders: RefundTenders }>
export type OrderAction = 'pay' | 'cancel' | 'refund' | 'confirm_receipt'
export type InvoiceSummary = Answer<'InvoiceBriefOut'>
export type OrderDetail = Narrow<
  Answer<'OrderOut'>,
  {
    state: OrderState
    lines: OrderLine[]
    sub_orders: SubOrder[]
    refunds: Refund[]
    actions: OrderAction[]
  }
>
export type AfterSaleRequest = Schemas['AfterSaleIn']
export type AfterSalePreview = Narrow<Answer<'RefundPreviewOut'>, { tenders: RefundTenders }>

// Enterprise

/** Not in the document yet; the keys are those known to have a text of their own. */
export type FigureKey = 'budget_open' | 'credit_available' | 'expiring_30d' | 'receivable'

export interface Overview {
  enterprise: Named
  as_of: string
  figures: { key: FigureKey; amount_minor: number; note: string | null }[]
}

export type EnterpriseOrder = Narrow<Answer<'EnterpriseOrderOut'>, { state: OrderState }>
export type EnterpriseOrders = Narrow<Answer<'EnterpriseOrdersOut'>, { items: EnterpriseOrder[] }>
export type EnterpriseOrdersQuery = Query<'/api/v1/enterprise/orders'>
export type InvoiceParty = Answer<'PartyOut'>
export type InvoiceLine = Answer<'InvoiceLineOut'>
export type Invoice = Answer<'InvoiceOut'>

// The operators' search desk

export type ClickInput = Schemas['ClickIn']
export type Synonym = Answer<'SynonymOut'>
export type SynonymInput = Schemas['SynonymIn']
export type SynonymsQuery = Query<'/api/v1/admin/search/synonyms'>
export type SearchRule = Answer<'RuleOut'>
export type SearchRuleInput = Schemas['NewRuleIn']
export type SearchRuleChange = Schemas['RuleIn']
export type SearchRulesQuery = Query<'/api/v1/admin/search/rules'>
/** A list is that of a query, or that of a category. */
export type SearchListName = Schemas['ListIn']
export type SearchPreviewQuery = Query<'/api/v1/admin/search/preview'>
export type SearchPreview = Answer<'PreviewOut'>
export type EnterprisesQuery = Query<'/api/v1/admin/enterprises'>
export type EnterpriseName = Answer<'EnterpriseNameOut'>
export type PreviewItem = Answer<'PreviewItemOut'>
export type QueryReport = Answer<'ReportOut'>
export type QueryReportRow = Answer<'ReportRowOut'>
export type ZeroResultsQuery = Query<'/api/v1/admin/search/reports/zero-results'>
export type LowClicksQuery = Query<'/api/v1/admin/search/reports/low-clicks'>
