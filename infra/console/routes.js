/** Where the console is, kept in the URL's hash: a reload stays, the browser's "back" goes back. */

/**
 * @typedef {object} Place
 * @property {'mail' | 'webhooks'} page
 * @property {string | null} channelId
 * @property {'inbound' | 'outbound'} direction
 * @property {string | null} messageId
 */

/** @returns {Place | null} null for a hash that is none of ours, such as that of the skip link */
export function readPlace() {
  if (location.hash !== '' && !location.hash.startsWith('#/')) return null
  const [channelId, direction, messageId] = location.hash.slice(2).split('/').map(decode)
  // No channel's id: those begin with ch_.
  if (channelId === 'webhooks') {
    return { page: 'webhooks', channelId: null, direction: 'inbound', messageId: null }
  }
  return {
    page: 'mail',
    channelId: channelId || null,
    direction: direction === 'outbound' ? 'outbound' : 'inbound',
    messageId: messageId || null,
  }
}

/** @param {{ channelId: string, direction?: string, messageId?: string }} place */
export function hrefOf({ channelId, direction = 'inbound', messageId }) {
  const steps = [channelId, direction, ...(messageId ? [messageId] : [])]
  return `#/${steps.map(encodeURIComponent).join('/')}`
}

/** @param {string} step */
function decode(step) {
  try {
    return decodeURIComponent(step)
  } catch {
    return ''
  }
}
