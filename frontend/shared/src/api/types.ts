/**
 * The API's shapes as the pages use them. `npm run api-types` writes what the server itself
 * documents to `schema.d.ts`; where both speak of the same thing they must agree.
 * Amounts ending in `_minor` are whole fen, times are RFC 3339 in UTC, ids are opaque.
 */

export interface Named {
  id: string
  name: string
}

/** Some answers name a brand or category by its name alone. */
export type NameOrNamed = Named | string | null

export type Role = 'employee' | 'hr' | 'finance' | 'merchant_owner' | 'marketing' | 'operator'

export interface Tenant extends Named {
  kind: 'enterprise' | 'merchant' | 'bank' | 'platform'
}

export interface Membership {
  membership_id: string
  tenant: Tenant
  roles: Role[]
  active: boolean
}

export interface Me {
  csrf_token: string
  user: { id: string; login: string; name: string; roles: Role[]; tenant: Tenant }
  memberships: Membership[]
}

export interface DemoLogins {
  logins: { login: string; title: string }[]
  password?: string
}

export interface Category extends Named {
  name_en?: string | null
  object: string
  tint: string
  children?: Category[]
}

export interface Listing<T> {
  items: T[]
}

export interface Page<T> extends Listing<T> {
  next_cursor: string | null
}

// Wallet

export interface CreditExpiry {
  lot_id: string
  source: string
  amount_minor: number
  granted_minor: number
  at: string
}

export interface Pot extends Named {
  available_minor: number
  held_minor: number
  expires: CreditExpiry[]
  eligible: { text: string; categories: Named[] }
  billing_entity: Named | null
  after_expiry: string | null
}

export interface Wallet {
  pots: Pot[]
  points: {
    available: number
    held: number
    per_yuan: number
    expires: { amount: number; at: string }[]
  }
}

export interface StatementEntry {
  at: string
  kind: 'grant' | 'hold' | 'capture' | 'release' | 'expire' | 'refund'
  asset: 'CREDIT' | 'POINT'
  /** Fen for CREDIT, points for POINT. */
  amount_minor: number
  pot_id: string | null
  pot_name: string | null
  lot_id: string | null
  order_id: string | null
  title: string
}

// Catalogue

export interface PotVerdict {
  pot_id: string
  name: string
  eligible: boolean
  reason?: string | null
}

export interface SearchItem {
  product_id: string
  title: string
  highlight: { text: string; hit: boolean }[] | null
  image: string | null
  price_minor: number
  list_price_minor: number | null
  brand: NameOrNamed
  category: NameOrNamed
  merchants: Named[]
  in_stock: boolean
  sold: number
  pots: PotVerdict[]
}

export interface FacetValue {
  value: string
  label: string
  count: number
}

export type FacetKey = 'brand' | 'category' | 'price' | 'merchant'

export interface SearchAnswer extends Page<SearchItem> {
  total: number
  facets: Partial<Record<FacetKey, FacetValue[]>>
  corrected_query: string | null
}

export interface Suggestion {
  text: string
  kind: 'query' | 'category' | 'brand' | 'product'
}

export interface Offer {
  offer_id: string
  merchant: Named
  price_minor: number
  list_price_minor: number | null
  available: number
  pots: PotVerdict[]
}

export interface Sku {
  sku_id: string
  name: string
  image: string | null
  offers: Offer[]
}

export interface Product {
  product_id: string
  title: string
  subtitle: string | null
  description: string | null
  brand: Named | null
  category: (Named & { path?: Named[] }) | null
  images: string[]
  sold: number
  attributes: { name: string; value: string }[]
  no_reason_return: boolean
  skus: Sku[]
}

// Cart

export interface CartItem {
  offer_id: string
  product_id: string
  title: string
  sku_name: string
  image: string | null
  price_minor: number
  quantity: number
  available: number
  chosen: boolean
  problem: { code: string; detail: string } | null
  pots: PotVerdict[]
}

export interface CartGroup {
  merchant: Named
  items: CartItem[]
  /** Delivery of what is chosen from this merchant now, and the amount that makes it free. */
  freight_minor?: number | null
  free_from_minor?: number | null
}

export interface Cart {
  groups: CartGroup[]
  count: number
  chosen_total_minor: number
}

export interface Address {
  address_id: string
  name: string
  phone: string
  region_code: string
  region_name: string
  detail: string
  is_default: boolean
}

export interface AddressInput {
  name: string
  phone: string
  region_code: string
  detail: string
  is_default: boolean
}

export interface Region {
  code: string
  name: string
  has_children: boolean
}

// Checkout

export interface PotAmount {
  pot_id: string
  name: string
  amount_minor: number
}

export interface Tenders {
  credit: PotAmount[]
  points: { points: number; amount_minor: number }
  cash_minor: number
}

export interface QuoteLine {
  line_id: string
  kind: 'goods' | 'freight'
  merchant: Named
  offer_id: string | null
  product_id: string | null
  title: string
  sku_name: string | null
  image: string | null
  quantity: number
  unit_price_minor: number
  gross_minor: number
  discount_minor: number
  payable_minor: number
}

/** Who pays how much of one line: `source` is `lot:{id}`, `points` or `cash`. */
export interface FundingPart {
  line_id: string
  source: string
  source_name: string
  pot_id?: string | null
  amount_minor: number
}

export interface Discount {
  name: string
  funder: string
  amount_minor: number
  lines: { line_id: string; amount_minor: number }[]
}

export interface Refusal {
  line_id: string
  pot_id: string | null
  code: string
  detail: string
}

export interface Quote {
  quote_id: string
  expires_at: string
  lines: QuoteLine[]
  discounts: Discount[]
  freight_minor: number
  payable_minor: number
  saved_minor: number
  tenders: Tenders
  funding: FundingPart[]
  refusals: Refusal[]
  available: {
    credit: { pot_id: string; name: string; available_minor: number }[]
    points: number
  }
  billing_entity: Named | null
}

export interface QuoteRequest {
  address_id: string
  items?: { offer_id: string; quantity: number }[]
  credit_minor?: number | 'max'
  points?: number | 'max'
}

export interface Payment {
  intent_id: string
  amount_minor: number
  gateway_url: string
  card_page_url: string
  client_secret: string
}

export type OrderState =
  | 'pending_payment'
  | 'paid'
  | 'shipped'
  | 'completed'
  | 'closed'
  | 'refunded'

export interface PlacedOrder {
  order_id: string
  state: OrderState
  payment: Payment | null
}

// Orders

export interface OrderSummary {
  order_id: string
  state: OrderState
  created_at: string
  title: string
  images: (string | null)[]
  line_count: number
  merchants: string[]
  payable_minor: number
  credit_minor: number
  points: number
  points_minor: number
  cash_minor: number
  refunded_minor: number
}

export interface OrderLine extends QuoteLine {
  refunded_quantity: number
  refunded_minor: number
}

export interface Parcel {
  parcel_id: string
  carrier: string
  tracking_number: string
  state: string
  shipped_at: string
  lines: { line_id: string; quantity: number }[]
}

export interface SubOrder {
  sub_order_id: string
  merchant: Named
  state: 'to_ship' | 'shipped' | 'received' | 'closed'
  line_ids: string[]
  freight_minor: number
  parcels: Parcel[]
}

export interface RefundTenders {
  credit: (PotAmount & { to: 'pot' | 'budget' })[]
  points: { points: number; amount_minor: number }
  cash_minor: number
}

export interface Refund {
  refund_id: string
  state: string
  created_at: string
  amount_minor: number
  tenders: RefundTenders
}

export type OrderAction = 'pay' | 'cancel' | 'refund' | 'confirm_receipt'

export interface OrderDetail extends OrderSummary {
  address: { name: string; phone: string; region_name: string; detail: string } | null
  lines: OrderLine[]
  discounts: Discount[]
  freight_minor: number
  tenders: Tenders
  funding: FundingPart[]
  sub_orders: SubOrder[]
  refunds: Refund[]
  payment: Payment | null
  pay_before_at: string | null
  paid_at: string | null
  actions: OrderAction[]
  invoice: { number: string; state: string; kind: string; gross_minor: number; red_minor?: number } | null
}

export interface AfterSaleRequest {
  items: { line_id: string; quantity: number }[]
  kind: 'refund' | 'return' | 'exchange'
  reason: string
}

export interface AfterSaleAnswer {
  refund_id?: string
  state?: string
  refund_minor: number
  tenders: RefundTenders
  funding: FundingPart[]
}

// Enterprise

export type FigureKey = 'budget_open' | 'unspent' | 'credit_available' | 'expiring_30d' | 'receivable'

export interface Overview {
  enterprise: Named
  as_of: string
  figures: { key: FigureKey; amount_minor: number; note: string | null }[]
}

export interface InvoiceSummary {
  number: string
  kind: string
  state: string
  gross_minor: number
  /** What red invoices took back, as a negative amount. */
  red_minor?: number
}

export interface EnterpriseOrder {
  order_id: string
  created_at: string
  state: OrderState
  merchant_count: number
  rates: string[]
  credit_minor: number
  invoice: InvoiceSummary | null
}

export interface EnterpriseOrders extends Page<EnterpriseOrder> {
  total: number
}

export interface InvoiceParty {
  name: string
  tax_number: string
}

export interface InvoiceLine {
  name: string
  tax_code: string
  spec: string | null
  unit: string | null
  quantity: string | number
  unit_price: string | null
  rate: string
  net_minor: number
  tax_minor: number
  gross_minor: number
}

export interface Invoice {
  number: string
  kind: string
  state: string
  drawn_at: string
  order_id: string
  buyer: InvoiceParty
  seller: InvoiceParty
  lines: InvoiceLine[]
  net_minor: number
  tax_minor: number
  gross_minor: number
  gross_capitals: string
  notice: string | null
  red: { number: string; gross_minor: number }[]
}
