/** Vant's dialog and toast, fetched only when first needed. */

export async function confirmDialog(words: {
  title: string
  message?: string
  yes: string
  no: string
}): Promise<boolean> {
  const { showConfirmDialog } = await import('./vantDialog')
  try {
    await showConfirmDialog({
      title: words.title,
      message: words.message,
      confirmButtonText: words.yes,
      cancelButtonText: words.no,
    })
    return true
  } catch {
    return false // Vant rejects when the person says no.
  }
}

let toastShown = false

/** What was said on one page does not follow to the next. */
export async function clearToast(): Promise<void> {
  if (!toastShown) return
  toastShown = false
  const { closeToast } = await import('./vantToast')
  closeToast()
}

/** A short word about what just succeeded; a refusal is said in its place on the page instead. */
export async function toast(message: string): Promise<void> {
  const { showToast } = await import('./vantToast')
  toastShown = true
  showToast({ message, position: 'bottom', duration: 1800 })
}
