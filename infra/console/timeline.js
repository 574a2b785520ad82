/** Shows what a mailbox went through: the steps of its health with what the servers said, and its mail between them. */

import { byId, element, showList } from './elements.js'
import { hrefOf } from './routes.js'
import { eventName, exactWhenText, stepName } from './wording.js'

/** @param {any} channel @param {any[]} events of this channel */
export function showTimeline(channel, events) {
  // Steps of health are events too; the history tells them with their evidence.
  const mails = events.filter(({ type }) => !type.startsWith('channel.'))
  const entries = [...(channel.history ?? []).map(stepEntry), ...mails.map(eventEntry)]
  byId('channel-past').hidden = entries.length === 0
  showList(byId('channel-history'), {
    entries: entries.sort((one, other) => Date.parse(other.at) - Date.parse(one.at)),
    keyOf: ({ key }) => key,
    render: renderEntry,
  })
}

/**
 * @typedef {object} Entry
 * @property {string} key
 * @property {string} at ISO 8601
 * @property {string} name
 * @property {string} about
 * @property {string | null} href
 * @property {string} evidence what the other side said
 */

/** One step of a health axis: from what to what, and why. @param {any} step @returns {Entry} */
function stepEntry({ at, axis, protocol, from, to, reason, evidence }) {
  return {
    key: `${at} ${axis} ${protocol} ${to}`,
    at,
    name: stepName({ axis, to }),
    about: from !== 'none' && from !== to ? ` (was: ${stepName({ axis, to: from })})` : '',
    href: null,
    evidence:
      reason || evidence ? [protocol?.toUpperCase(), reason, evidence].filter(Boolean).join(' · ') : '',
  }
}

/** @param {any} event @returns {Entry} */
function eventEntry({ id, type, occurredAt, channelId, data: { message } }) {
  const { fault } = message ?? {}
  return {
    key: id,
    at: occurredAt,
    name: eventName(type),
    about: message ? `: ${message.subject || '(no subject)'}` : '',
    href: message ? hrefOf({ channelId, direction: message.direction, messageId: message.id }) : null,
    evidence: fault ? [fault.code, fault.evidence].filter(Boolean).join(' · ') : '',
  }
}

/** @param {Entry} entry */
function renderEntry({ at, name, about, href, evidence }) {
  const text = [element('strong', { text: name }), about]
  return element('li', {
    class: 'event',
    children: [
      element('time', { datetime: at, title: at, text: exactWhenText(at) }),
      href ? element('a', { href, children: text }) : element('span', { children: text }),
      evidence === '' ? null : element('code', { text: evidence }),
    ],
  })
}
