import { beforeEach, describe, expect, it, vi } from 'vitest'

const answers = { me: { user: { id: 'usr_1' }, settings: { personalisation: true } } }
const sent: unknown[] = []

vi.stubGlobal('fetch', async (path: string, options: RequestInit) => {
  if (path.endsWith('/me/settings')) {
    const body: unknown = JSON.parse(String(options.body))
    sent.push(body)
    return Response.json(body)
  }
  return Response.json({ csrf_token: 't', memberships: [], ...answers.me })
})

async function modules() {
  vi.resetModules()
  const session = await import('@shared/session/session')
  const history = await import('./searchHistory')
  return { ...session, ...history }
}

const stored = (): unknown => JSON.parse(localStorage.getItem('fuman.searches') ?? 'null')

beforeEach(() => {
  localStorage.clear()
  sent.length = 0
  answers.me.settings.personalisation = true
})

describe('what was searched', () => {
  it('is kept, newest first, each once', async () => {
    const { restoreSession, rememberSearch, searches } = await modules()
    await restoreSession()
    for (const text of ['茶', ' 蚕丝被 ', '茶', '']) rememberSearch(text)
    expect(searches.value).toEqual(['茶', '蚕丝被'])
    expect(stored()).toEqual(['茶', '蚕丝被'])
  })

  it('is neither kept nor shown without personalisation', async () => {
    localStorage.setItem('fuman.searches', '["茶"]')
    answers.me.settings.personalisation = false
    const { restoreSession, rememberSearch, searches } = await modules()
    expect(searches.value).toEqual([]) // before it is known
    await restoreSession()
    rememberSearch('蚕丝被')
    expect(searches.value).toEqual([])
    expect(stored()).toEqual(['茶'])
  })

  it('follows the switch at once', async () => {
    localStorage.setItem('fuman.searches', '["茶"]')
    const { restoreSession, choosePersonalisation, searches } = await modules()
    await restoreSession()
    expect(searches.value).toEqual(['茶'])
    await choosePersonalisation(false)
    expect(searches.value).toEqual([])
    await choosePersonalisation(true)
    expect(searches.value).toEqual(['茶'])
    expect(sent).toEqual([{ personalisation: false }, { personalisation: true }])
  })
})
