/** Shows a conversation: the messages of one thread in order, as text, with what can be done about each. */

import { badge, byId, element, showList } from './elements.js'
import { faultBox } from './fault.js'
import { formattedMail } from './formatted.js'
import { addressesText, isScheduled, messageState, messageTime, sizeText, whenText } from './wording.js'

/**
 * @typedef {object} MessageActions
 * @property {(message: any) => void} onReply
 * @property {(message: any) => void} onRetry
 * @property {(message: any) => void} onCancel
 * @property {(path: string, filename: string) => void} onDownload
 * @property {(path: string, contentType: string) => Promise<string>} readPicture
 */

/** States in which the API takes a retry, and a cancellation. */
const retryable = ['failed', 'uncertain', 'expired']
/** States in which a retry brings the next attempt forward, or says what is in its way. */
const waiting = ['retrying', 'parked']
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
      isOpen: message.id === openId,
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
  const state = isInbound ? { tone: 'neutral', text: 'Received', meaning: '' } : messageState(message)
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
function outcome(message, meaning) {
  const { direction, state, fault, nextAttemptAt, rejectedRecipients } = message
  if (direction === 'inbound') {
    const { automatic } = message
    return [
      automatic
        ? element('p', { class: 'quiet', text: `Written by a program (${automatic.evidence}).` })
        : null,
      fault ? faultBox(fault, { tone: 'warn' }) : null,
    ].filter(one => one !== null)
  }
  const lines = (message.bounces ?? []).map(bounceLine)
  if (state !== 'sent') lines.push(element('p', { class: 'quiet', text: meaning }))
  if (nextAttemptAt && state === 'retrying')
    lines.push(element('p', { text: `Next attempt: ${whenText(nextAttemptAt)}` }))
  if (fault) lines.push(faultBox(fault, { tone: state === 'failed' || state === 'expired' ? 'bad' : 'warn' }))
  for (const { address, response } of rejectedRecipients)
    lines.push(element('p', { class: 'fault warn', text: `${address} was refused: ${response}` }))
  return lines
}

/** @param {any} bounce */
function bounceLine({ kind, recipient, status, diagnostic, isPermanent }) {
  const who = recipient ?? 'A recipient'
  const what =
    kind === 'complaint'
      ? 'called it spam'
      : isPermanent
        ? 'did not get it, and will not'
        : 'has not got it yet'
  const why = [status, diagnostic].filter(Boolean).join(' ')
  return element('p', { class: 'fault warn', text: `${who} ${what}${why && `: ${why}`}` })
}

/** As text, with what was quoted folded away; as the sender laid it out when asked for. @param {any} message @param {MessageActions} actions */
function body(message, actions) {
  const { htmlSanitized } = message
  const formatted = htmlSanitized && element('div', { class: 'formatted-place' })
  const parts = [...asText(message, actions), formatted || null]
  if (formatted) {
    const toggle = element('button', {
      type: 'button',
      text: 'Show formatted',
      'aria-expanded': 'false',
      onclick() {
        const isShown = formatted.childElementCount > 0
        formatted.replaceChildren(...(isShown ? [] : [formattedMail(message, actions)]))
        toggle.textContent = isShown ? 'Show formatted' : 'Hide formatted'
        toggle.setAttribute('aria-expanded', String(!isShown))
      },
    })
    parts.push(toggle)
  }
  return parts.filter(one => one !== null)
}

/** @param {any} message @param {MessageActions} actions */
function asText(message, { onDownload }) {
  const { text, reply, quoted, html } = message
  if (text !== null && text.trim() !== '') {
    const isSplit = reply && reply.trim() !== '' && quoted && quoted.trim() !== ''
    return [
      textBlock(isSplit ? reply : text),
      isSplit
        ? element('details', {
            children: [element('summary', { text: 'Quoted text' }), textBlock(quoted)],
          })
        : null,
    ]
  }
  if (message.htmlSanitized) return []
  const sentence =
    html === null
      ? 'This mail has no text.'
      : 'This mail has only an HTML version, which is not shown here. The original holds it.'
  const onclick = () => onDownload(rawPath(message), `${message.id}.eml`)
  return [
    element('p', { class: 'quiet', text: sentence }),
    html === null ? null : element('button', { type: 'button', text: 'Download the original', onclick }),
  ]
}

/** @param {string} text */
function textBlock(text) {
  return element('div', { class: 'text', dir: 'auto', text: text.replace(/\s+$/, '') })
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
      waiting.includes(message.state) ? button('Try now', () => onRetry(message)) : null,
      isScheduled(message) ? button('Send now', () => onRetry(message)) : null,
      cancellable.includes(message.state) ? button('Cancel', () => onCancel(message)) : null,
      button('Original', () => onDownload(rawPath(message), `${message.id}.eml`)),
    ],
  })
}
