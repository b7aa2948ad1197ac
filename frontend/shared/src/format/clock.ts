import { ref } from 'vue'

/** How far the server's business time is from this device's clock, in ms (demo time can move). */
const offsetMs = ref(0)

/** Learns the server's time from an answer's `X-Now` header; small differences are network noise. */
export function learnServerTime(header: string | null): void {
  const at = header ? Date.parse(header) : Number.NaN
  if (Number.isNaN(at)) return
  const difference = at - Date.now()
  if (Math.abs(difference - offsetMs.value) > 2_000) offsetMs.value = difference
}

/** The shop's present moment: use it, never `new Date()`, for expiry and countdowns. */
export function shopNow(): Date {
  return new Date(Date.now() + offsetMs.value)
}
