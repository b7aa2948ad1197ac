import type { FundingPart, Named, QuoteLine } from '@shared/api/types'

export interface MerchantLines<L extends QuoteLine> {
  merchant: Named
  goods: L[]
  freight: L[]
}

/** Lines by merchant, in the order the server gave them; freight after its merchant's goods. */
export function byMerchant<L extends QuoteLine>(lines: readonly L[]): MerchantLines<L>[] {
  const groups = new Map<string, MerchantLines<L>>()
  for (const line of lines) {
    const group = groups.get(line.merchant.id) ?? { merchant: line.merchant, goods: [], freight: [] }
    group[line.kind].push(line)
    groups.set(line.merchant.id, group)
  }
  return [...groups.values()]
}

export function partsOfLine(funding: readonly FundingPart[], lineId: string): FundingPart[] {
  return funding.filter((part) => part.line_id === lineId)
}
