/**
 * The gateway's hosted card page, told to come back to the page that waits for the signed
 * confirmation. The browser's return never decides that an order is paid.
 */
export function cardPageUrl(hosted: string, orderId: string, origin: string): string {
  const url = new URL(hosted, origin)
  url.searchParams.set('return_url', `${origin}/pay/${encodeURIComponent(orderId)}?from=card`)
  return url.toString()
}
