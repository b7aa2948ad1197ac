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

/** A short word about what just succeeded; a refusal is said in its place on the page instead. */
export async function toast(message: string): Promise<void> {
  const { showToast } = await import('./vantToast')
  showToast({ message, position: 'bottom', duration: 1800 })
}
