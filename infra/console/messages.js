/** Shows a folder of a mailbox: one row a message, newest first. */

import { badge, byId, element, showList } from './elements.js'
import { hrefOf } from './routes.js'
import { addressesText, messageState, messageTime, whenText } from './wording.js'

const emptySentences = {
  inbound: 'No mail yet. What arrives from now on appears here by itself.',
  outbound: 'Nothing sent yet.',
}

/** As much of the text as one line of a row can show. */
const previewCharacters = 120

/**
 * @param {{ channelId: string, direction: 'inbound' | 'outbound', messageId: string | null,
 *   mailbox: import('./mailbox.js').Mailbox, trouble: string | null }} view
 */
export function showMessages({ channelId, direction, messageId, mailbox, trouble }) {
  const { messages, hasOlder } = mailbox.list(direction)
  for (const tab of document.querySelectorAll('.tabs a')) {
    const own = tab.getAttribute('data-direction') ?? ''
    tab.setAttribute('href', hrefOf({ channelId, direction: own }))
    if (own === direction) tab.setAttribute('aria-current', 'page')
    else tab.removeAttribute('aria-current')
  }
  const quiet = messages.length === 0 ? emptySentences[direction] : ''
  byId('messages-status').textContent = trouble ?? (mailbox.isLoaded() ? quiet : 'Loading …')
  byId('older').hidden = !hasOlder
  showList(byId('messages'), {
    entries: messages.map(message => ({ ...rowOf(message), channelId, isOpen: message.id === messageId })),
    keyOf: ({ id }) => id,
    render: renderRow,
  })
}

/** Only what the row shows, so that it is made anew only when that changes. @param {any} message */
function rowOf(message) {
  const { id, direction, from, to, cc, subject, text } = message
  const isInbound = direction === 'inbound'
  return {
    id,
    direction,
    who: addressesText(isInbound ? from : [...to, ...cc]) || '(nobody named)',
    subject: subject || '(no subject)',
    preview: (text ?? '').slice(0, previewCharacters),
    at: messageTime(message),
    state: isInbound ? null : messageState(message),
  }
}

/** @param {ReturnType<typeof rowOf> & { channelId: string, isOpen: boolean }} row */
function renderRow({ id, channelId, direction, isOpen, who, subject, preview, at, state }) {
  return element('li', {
    children: [
      element('a', {
        class: 'row',
        href: hrefOf({ channelId, direction, messageId: id }),
        'aria-current': isOpen && 'true',
        children: [
          element('span', { class: 'who', text: direction === 'inbound' ? who : `To ${who}` }),
          element('time', { datetime: at, title: at, text: whenText(at) }),
          element('span', {
            class: 'line',
            children: [element('strong', { text: subject }), state && badge(state)],
          }),
          element('span', { class: 'preview', text: preview }),
        ],
      }),
    ],
  })
}
