import { commonTexts } from '@shared/i18n/common'
import { makeTranslate } from '@shared/i18n/translate'
import { payingTexts } from './paying'
import { shoppingTexts } from './shopping'

export const texts = { ...commonTexts, ...shoppingTexts, ...payingTexts } as const

export type TextKey = keyof typeof texts

export const t = makeTranslate(texts)
