/** Shows a conversation: the messages of one thread in order, as text, with what can be done about each. */

import { badge, byId, element, showList } from './elements.js'
import { faultBox } from './fault.js'
import { addressesText, messageState, messageTime, sizeText, whenText } from './wording.js'

/**
 * @typedef {object} MessageActions
 * @property {(message: any) => void} onReply
 * @property {(message: any) => void} onRetry
 * @property {(message: any) => void} onCancel
 * @property {(path: string, filename: string) => void} onDownload
 */

/** States in which the API takes a retry, and a cancellation. */
const retryable = ['failed', 'uncertain', 'expired']
const cancellable = ['queued', 'retrying', 'parked']

/**
 * @param {{ messages: any[], openId: string | null, status: string }} view
 * @param {MessageActions} actions
 */
export function showConversation({ messages, openId, status }, actions) {
  const open = messages.find(({ id }) => id === openId)
  const title = open ? open.subject || '(no subject)' : ''
  byId('conversation-title').textContent = title
  byId('conversation-status').textContent = status
  showList(byId('conversation'), {
    entries: messages.map(message => ({
      message,
      isOpen: messages.length > 1 && message.id === openId,
      // The title says it once.
      subject: message.subject === title ? '' : message.subject,
    })),
    keyOf: ({ message }) => message.id,
    render: ({ message, isOpen, subject }) => renderMessage(message, { isOpen, subject, actions }),
  })
  if (open && openId !== scrolledTo) scrollTo(openId)
  scrolledTo = open ? openId : null
}

/** @type {string | null} The message that was brought into view last. */
let scrolledTo = null

/** Where the pane scrolls by itself, a message is opened at its beginning. @param {string | null} id */
function scrollTo(id) {
  const list = byId('conversation')
  const entry = [...list.children].find(child => child.getAttribute('data-key') === id)
  const isFirst = entry === list.firstElementChild
  list.parentElement.scrollTop = isFirst || !entry ? 0 : entry.offsetTop - list.parentElement.offsetTop
}

/** @param {any} message @param {{ isOpen: boolean, subject: string, actions: MessageActions }} view */
function renderMessage(message, { isOpen, subject, actions }) {
  const isInbound = message.direction === 'inbound'
  const state = isInbound ? { tone: 'neutral', text: 'Received', meaning: '' } : messageState(message.state)
  const at = messageTime(message)
  return element('li', {
    children: [
      element('article', {
        class: 'message',
        'aria-current': isOpen && 'true',
        'aria-label': `${state.text}: ${message.subject || '(no subject)'}`,
        children: [
          element('div', {
            class: 'message-head',
            children: [
              badge(state),
              element('dl', {
                children: [
                  ...field('From', addressesText(message.from)),
                  ...field('To', addressesText(message.to)),
                  ...field('Cc', addressesText(message.cc)),
                  ...field('Bcc', addressesText(message.bcc ?? [])),
                  ...field('Subject', subject),
                  element('dt', { text: 'Date' }),
                  element('dd', {
                    children: [element('time', { datetime: at, title: at, text: whenText(at) })],
                  }),
                ],
              }),
            ],
          }),
          ...outcome(message, state.meaning),
          ...body(message, actions),
          attachments(message, actions),
          buttons(message, actions),
        ],
      }),
    ],
  })
}

/** @param {string} name @param {string} value */
function field(name, value) {
  return value === '' ? [] : [element('dt', { text: name }), element('dd', { text: value })]
}

/** What became of an outbound message, where "sent" does not say it all. @param {any} message @param {string} meaning */
function outcome({ direction, state, fault, nextAttemptAt, sendAt, rejectedRecipients }, meaning) {
  if (direction === 'inbound') {
    return fault ? [faultBox(fault, { tone: 'warn' })] : []
  }
  const lines = []
  if (state !== 'sent') lines.push(element('p', { class: 'quiet', text: meaning }))
  if (sendAt && state === 'queued') lines.push(element('p', { text: `Leaves at ${whenText(sendAt)}.` }))
  if (nextAttemptAt && state === 'retrying')
    lines.push(element('p', { text: `Next attempt: ${whenText(nextAttemptAt)}` }))
  if (fault) lines.push(faultBox(fault, { tone: state === 'failed' || state === 'expired' ? 'bad' : 'warn' }))
  for (const { address, response } of rejectedRecipients)
    lines.push(element('p', { class: 'fault warn', text: `${address} was refused: ${response}` }))
  return lines
}

/** HTML mail is never rendered: it may hold anything. @param {any} message @param {MessageActions} actions */
function body(message, { onDownload }) {
  if (message.text !== null && message.text.trim() !== '')
    return [element('div', { class: 'text', dir: 'auto', text: message.text.replace(/\s+$/, '') })]
  const sentence =
    message.html === null
      ? 'This mail has no text.'
      : 'This mail has only an HTML version, which is not shown here. The original holds it.'
  const onclick = () => onDownload(rawPath(message), `${message.id}.eml`)
  return [
    element('p', { class: 'quiet', text: sentence }),
    message.html === null
      ? null
      : element('button', { type: 'button', text: 'Download the original', onclick }),
  ].filter(one => one !== null)
}

/** @param {any} message */
function rawPath({ id }) {
  return `/v1/messages/${encodeURIComponent(id)}/raw`
}

/** @param {any} message @param {MessageActions} actions */
function attachments({ id, attachments: files }, { onDownload }) {
  if (files.length === 0) return null
  return element('ul', {
    class: 'plain attachments',
    'aria-label': 'Attachments',
    children: files.map((/** @type {any} */ { index, filename, contentType, sizeBytes }) =>
      element('li', {
        children: [
          element('button', {
            type: 'button',
            'aria-label': `Download ${filename}`,
            onclick: () =>
              onDownload(`/v1/messages/${encodeURIComponent(id)}/attachments/${index}`, filename),
            text: filename,
          }),
          element('span', { class: 'quiet', text: `${contentType}, ${sizeText(sizeBytes)}` }),
        ],
      }),
    ),
  })
}

/** @param {any} message @param {MessageActions} actions */
function buttons(message, { onReply, onRetry, onCancel, onDownload }) {
  /** @param {string} text @param {() => void} onclick */
  const button = (text, onclick) => element('button', { type: 'button', text, onclick })
  return element('div', {
    class: 'actions',
    children: [
      button('Reply', () => onReply(message)),
      retryable.includes(message.state) ? button('Send again', () => onRetry(message)) : null,
      cancellable.includes(message.state) ? button('Cancel', () => onCancel(message)) : null,
      button('Original', () => onDownload(rawPath(message), `${message.id}.eml`)),
    ],
  })
}
