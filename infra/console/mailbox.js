/** What the console knows of one channel's messages: the newest of both directions, and older ones as asked for. */

const pageSize = 50

/**
 * @typedef {object} Mailbox
 * @property {() => Promise<void>} refresh reads the newest page of both directions
 * @property {(direction: string) => Promise<void>} readOlder
 * @property {(id: string) => any} find a known message, else undefined
 * @property {(id: string) => Promise<any>} read one message, wherever it is in the lists. Throws `ApiError`, `NoAnswer`
 * @property {(direction: string) => { messages: any[], hasOlder: boolean }} list newest first
 * @property {(message: any) => any[]} conversation the known messages of its thread, oldest first
 * @property {() => boolean} isLoaded
 * @property {() => boolean} isMoving whether a message is on its way, so that its state changes soon
 */

/** @param {string} channelId @param {import('./api.js').Api} api @returns {Mailbox} */
export function openMailbox(channelId, api) {
  /** @type {Map<string, any>} By id, both directions; also single ones that no list has reached yet. */
  const known = new Map()
  /** @type {Record<string, Set<string>>} Ids that the lists have brought. */
  const listed = {}
  /** @type {Record<string, string | null>} Where the oldest page ended. */
  const cursors = { inbound: null, outbound: null }
  let isLoaded = false

  /** @param {string} direction @param {string | null} cursor */
  async function readPage(direction, cursor) {
    const query = new URLSearchParams({ direction, limit: String(pageSize), ...(cursor && { cursor }) })
    const page = await api.call('GET', `/v1/channels/${encodeURIComponent(channelId)}/messages?${query}`)
    for (const message of page.messages) known.set(message.id, message)
    return page
  }

  /** @param {string} direction */
  async function readNewest(direction) {
    const page = await readPage(direction, null)
    const ids = page.messages.map((/** @type {{ id: string }} */ { id }) => id)
    const before = listed[direction]
    // A page that touches nothing known leaves a gap, which the cursor must lead through.
    if (!before || !ids.some((/** @type {string} */ id) => before.has(id))) {
      listed[direction] = new Set(ids)
      cursors[direction] = page.cursor
    } else for (const id of ids) before.add(id)
  }

  return {
    async refresh() {
      await Promise.all(['inbound', 'outbound'].map(readNewest))
      isLoaded = true
    },

    async readOlder(direction) {
      const cursor = cursors[direction] ?? null
      if (cursor === null) return
      const page = await readPage(direction, cursor)
      for (const { id } of page.messages) listed[direction]?.add(id)
      cursors[direction] = page.cursor
    },

    find: id => known.get(id),

    async read(id) {
      const message = await api.call('GET', `/v1/messages/${encodeURIComponent(id)}`)
      known.set(id, message)
      return message
    },

    list(direction) {
      const messages = [...(listed[direction] ?? [])].map(id => known.get(id))
      return { messages: messages.sort(oldestFirst).reverse(), hasOlder: cursors[direction] !== null }
    },

    conversation({ id, threadId }) {
      return inOrder([...known.values()].filter(one => one.id === id || one.threadId === threadId))
    },

    isLoaded: () => isLoaded,
    isMoving: () =>
      [...known.values()].some(({ state }) => ['queued', 'sending', 'retrying'].includes(state)),
  }
}

/** When it came or was handed to us: the order of the API's lists. @param {any} message */
function timeMs({ receivedAt, acceptedAt }) {
  return Date.parse(receivedAt ?? acceptedAt)
}

/** @param {any} one @param {any} other */
function oldestFirst(one, other) {
  return timeMs(one) - timeMs(other) || one.id.localeCompare(other.id)
}

/**
 * By time, but never an answer before its question: mail servers tell arrival in whole seconds, so that a quick
 * answer can seem to have come first.
 * @param {any[]} messages
 */
function inOrder(messages) {
  const byMessageId = new Map(messages.map(message => [message.messageId, message]))
  /** @param {any} message @param {number} depth ends where mails claim to answer each other @returns {number} */
  const placeMs = (message, depth = 0) => {
    const question = depth < messages.length ? byMessageId.get(message.inReplyTo) : undefined
    return question ? Math.max(timeMs(message), placeMs(question, depth + 1) + 1) : timeMs(message)
  }
  return messages.sort((one, other) => placeMs(one) - placeMs(other) || oldestFirst(one, other))
}
