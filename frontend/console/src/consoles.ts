import type { Me, Role } from '@shared/api/types'
import type { IconName } from '@shared/ui/icons'
import type { TextKey } from './texts'

export type ConsoleKey = 'seller' | 'enterprise' | 'bank' | 'operator'

export interface NavItem {
  to: string
  text: TextKey
  icon: IconName
  /** The heading above this entry, where a group of entries begins. */
  group?: TextKey
}

interface ConsoleFrame {
  /** Who may come in; everybody else is told where they belong. */
  roles: Role[]
  nav: NavItem[]
}

/** The four consoles: what each shows in its side bar. Only pages that exist stand here. */
export const consoles: Record<ConsoleKey, ConsoleFrame> = {
  seller: {
    roles: ['merchant_owner'],
    nav: [{ to: '/seller', text: 'nav.landing', icon: 'home' }],
  },
  enterprise: {
    roles: ['hr', 'finance'],
    nav: [
      { to: '/enterprise', text: 'nav.overview', icon: 'chart' },
      { to: '/enterprise/orders', text: 'nav.orders', icon: 'file' },
    ],
  },
  bank: {
    roles: ['marketing'],
    nav: [{ to: '/bank', text: 'nav.landing', icon: 'home' }],
  },
  operator: {
    roles: ['operator'],
    nav: [
      { to: '/operator', text: 'nav.landing', icon: 'home' },
      { to: '/operator/search/synonyms', text: 'nav.synonyms', icon: 'swap', group: 'nav.group.search' },
      { to: '/operator/search/rules', text: 'nav.rules', icon: 'pin' },
      { to: '/operator/search/reports', text: 'nav.reports', icon: 'chart' },
    ],
  },
}

export function consoleOfPath(path: string): ConsoleKey | null {
  const first = path.split('/')[1]
  return first && first in consoles ? (first as ConsoleKey) : null
}

export function mayEnter(me: Me, key: ConsoleKey): boolean {
  return me.user.roles.some((role) => consoles[key].roles.includes(role))
}
