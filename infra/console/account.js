/** Which account the console shows: the field for it, remembered by the browser. */

import { byId } from './elements.js'

const storageKey = 'postroom.account'
const firstAccount = 'demo'

/**
 * @param {{ only: string | null, onShow(accountId: string): void }} options
 *   `only` is the one account that may be seen, null for any; `onShow` hears of an account somebody asked for
 */
export function openAccount({ only, onShow }) {
  const field = byId('account-id')
  const fault = byId('account-error')
  let shown = only ?? recall()
  field.value = shown
  field.readOnly = only !== null

  byId('account').addEventListener('submit', (/** @type {SubmitEvent} */ event) => {
    event.preventDefault()
    onShow(field.value.trim())
  })

  return {
    /** The account whose mailboxes are shown. */
    id: () => shown,
    /** What the field holds, shown already or not. */
    typed: () => field.value.trim(),

    /** @param {string} accountId one that the API has taken */
    set(accountId) {
      shown = accountId
      field.value = accountId
      this.showFault('')
      remember(accountId)
    },

    /** @param {string} sentence */
    showFault(sentence) {
      fault.textContent = sentence
      field.setAttribute('aria-invalid', String(sentence !== ''))
    },
  }
}

/** A browser may forbid storage; the console works without. */
function recall() {
  try {
    return localStorage.getItem(storageKey) ?? firstAccount
  } catch {
    return firstAccount
  }
}

/** @param {string} accountId */
function remember(accountId) {
  try {
    localStorage.setItem(storageKey, accountId)
  } catch {
    // Then the next visit begins with the first account again.
  }
}
