/** Shows an account's newest events, and tells the rest of the console when something happened. */

import { byId, element, showList } from './elements.js'
import { hrefOf } from './routes.js'
import { eventName, exactWhenText } from './wording.js'

const lookEveryMs = 2_000
const pageSize = 100
const shownEvents = 30
/** For the timelines of mailboxes, which are quieter than their account. */
const keptEvents = 300

/**
 * The log is read by cursor from its beginning, since it has no other; only the newest are kept. While the
 * page is hidden nothing is asked.
 * @param {{ api: import('./api.js').Api, onEvents(events: any[]): void, onLook(): void }} options
 *   `onEvents` hears of what happens from now on; `onLook` follows every look at the log, answered or not
 */
export function openEvents({ api, onEvents, onLook }) {
  let accountId = ''
  /** @type {string | null} */
  let cursor = null
  /** @type {any[]} Newest first. */
  let newest = []
  let isCaughtUp = false
  let isLooking = false
  let timer = 0

  async function look() {
    if (isLooking || document.hidden) return
    isLooking = true
    clearTimeout(timer)
    let waitMs = lookEveryMs
    try {
      await readOn(accountId)
      if (!isCaughtUp) waitMs = 0
    } catch {
      // The banner says so; the next look continues where this one began.
      if (newest.length === 0) byId('events-status').textContent = 'The events cannot be read at the moment.'
    }
    isLooking = false
    onLook()
    timer = setTimeout(look, waitMs)
  }

  /** @param {string} account */
  async function readOn(account) {
    const query = new URLSearchParams({
      accountId: account,
      limit: String(pageSize),
      ...(cursor && { after: cursor }),
    })
    const page = await api.call('GET', `/v1/events?${query}`)
    // Another account may have been chosen meanwhile.
    if (account !== accountId) return
    cursor = page.cursor ?? cursor
    newest = [...page.events.toReversed(), ...newest].slice(0, keptEvents)
    const isNews = isCaughtUp
    isCaughtUp = page.events.length < pageSize
    if (isCaughtUp) show()
    if (isNews && page.events.length > 0) onEvents(page.events)
    // What was there before is not read out; what comes from now on is.
    if (isCaughtUp && !isNews)
      requestAnimationFrame(() => byId('events-log').setAttribute('aria-live', 'polite'))
  }

  function show() {
    byId('events-status').textContent =
      newest.length === 0 ? 'None yet. What happens to this account is told here.' : ''
    const entries = newest.slice(0, shownEvents)
    showList(byId('events'), { entries, keyOf: ({ id }) => id, render: renderEvent })
  }

  document.addEventListener('visibilitychange', look)

  return {
    /** Newest first. */
    newest: () => newest,

    /** @param {string} account */
    follow(account) {
      accountId = account
      cursor = null
      newest = []
      isCaughtUp = false
      byId('events-log').setAttribute('aria-live', 'off')
      byId('events-status').textContent = 'Loading …'
      byId('events').replaceChildren()
      look()
    },
  }
}

/** @param {any} event */
function renderEvent({ type, occurredAt, channelId, data: { message, channel } }) {
  const about = message ? message.subject || '(no subject)' : (channel?.email ?? '')
  const { direction, id: messageId } = message ?? {}
  return element('li', {
    class: 'event',
    children: [
      element('time', { datetime: occurredAt, title: occurredAt, text: exactWhenText(occurredAt) }),
      element('span', {
        children: [element('strong', { text: eventName(type) }), ' ', element('code', { text: type })],
      }),
      about === '' ? null : aboutOf(about, channelId && hrefOf({ channelId, direction, messageId })),
    ],
  })
}

/** @param {string} text @param {string | null} href null where it is about nothing one could open */
function aboutOf(text, href) {
  return href ? element('a', { class: 'about', href, text }) : element('span', { class: 'about', text })
}
