/**
 * What was begun to be written. The tab keeps it over a reload and over a sign-in that ended; signing out forgets it.
 */

const draftsKey = 'postroom.drafts'

/**
 * @typedef {object} Draft
 * @property {string} key the Idempotency-Key: one per composed message, kept over every attempt to send it
 * @property {string} to
 * @property {string} subject
 * @property {string} text
 * @property {string | null} inReplyTo
 */

/**
 * @param {string} owner whose drafts they are: another person who signs in here does not see them
 * @returns {Pick<Map<string, Draft>, 'get' | 'set' | 'delete'>} by what they answer
 */
export function openDrafts(owner) {
  const kept = JSON.parse(sessionStorage.getItem(draftsKey) ?? 'null')
  /** @type {Map<string, Draft>} */
  const drafts = new Map(kept?.owner === owner ? kept.drafts : [])

  function keep() {
    const document = JSON.stringify({ owner, drafts: [...drafts] })
    try {
      if (drafts.size > 0) sessionStorage.setItem(draftsKey, document)
      else sessionStorage.removeItem(draftsKey)
    } catch (error) {
      // The tab's share of storage is full: the page itself still holds them.
      console.warn(error)
    }
  }

  return {
    get: place => drafts.get(place),
    set(place, draft) {
      drafts.set(place, draft)
      keep()
      return drafts
    },
    delete(place) {
      const isKnown = drafts.delete(place)
      keep()
      return isKnown
    },
  }
}
