/** Shows the mailboxes of an account: the list, and the one that is open with its health. */

import { badge, byId, element, showList } from './elements.js'
import { faultBox } from './fault.js'
import { hrefOf } from './routes.js'
import { showTimeline } from './timeline.js'
import {
  actorSentence,
  addressParts,
  exactWhenText,
  healthBadges,
  providerNames,
  whenText,
} from './wording.js'

/** @param {{ channels: any[], openId: string | null }} view */
export function showChannels({ channels, openId }) {
  byId('channels-status').textContent =
    channels.length === 0 ? 'None yet. Connect one with a button above.' : ''
  showList(byId('channels'), {
    entries: channels.map(channel => ({ channel, isOpen: channel.id === openId })),
    keyOf: ({ channel }) => channel.id,
    render: ({ channel, isOpen }) =>
      element('li', {
        children: [
          element('a', {
            class: 'card',
            href: hrefOf({ channelId: channel.id }),
            'aria-current': isOpen && 'true',
            children: [
              element('strong', { text: channel.displayName ?? channel.email }),
              element('span', { class: 'badges', children: worst(healthBadges(channel)).map(badge) }),
              element('span', { text: channel.email }),
              element('span', { class: 'quiet', text: underName(channel) }),
            ],
          }),
        ],
      }),
  })
}

/** The provider, and who has to act where somebody must. @param {any} channel */
function underName(channel) {
  const provider = providerNames[channel.provider] ?? channel.provider
  const actor = troublesOf(channel)[0]?.fault.actor
  return actor && actor !== 'nobody' ? `${provider} · ${actorSentence(actor)}` : provider
}

/** Good news takes one word in the list; each trouble is named. @param {{ tone: string, text: string }[]} badges */
function worst(badges) {
  const troubles = badges.filter(({ tone }) => tone !== 'good')
  return troubles.length > 0 ? troubles : [{ tone: 'good', text: 'Works' }]
}

/**
 * @param {any} channel
 * @param {{ events: any[], onReconnect(channel: any): void }} options `events` of this channel, for its timeline
 */
export function showChannel(channel, { events, onReconnect }) {
  byId('channel').hidden = false
  byId('channel-name').textContent = channel.displayName ?? channel.email
  const provider = providerNames[channel.provider] ?? channel.provider
  byId('channel-where').textContent = `${provider}, account ${channel.accountId}`
  showList(byId('channel-badges'), {
    entries: healthBadges(channel),
    keyOf: ({ text }) => text,
    render: badge,
  })
  showList(byId('channel-faults'), {
    entries: troublesOf(channel),
    keyOf: ({ axis }) => axis,
    render: trouble => troubleBox(trouble, () => onReconnect(channel)),
  })
  showList(byId('channel-facts'), {
    entries: factsOf(channel),
    keyOf: ({ name }) => name,
    render: ({ name, value, hint }) =>
      element('div', {
        children: [
          element('dt', { text: name }),
          element('dd', { children: [...addressParts(value), hint && element('small', { text: hint })] }),
        ],
      }),
  })
  showTimeline(channel, events)
  for (const name of ['probe', 'fetch', 'disconnect', 'write'])
    byId(name).disabled = channel.disconnectedAt !== null
}

/** @param {any} channel */
function factsOf(channel) {
  const { email, login, lastFetchedAt } = channel
  return [
    { name: 'Address', value: email, hint: 'what recipients see' },
    { name: 'Reads as (IMAP login)', value: login.imap, hint: loginHint(login.imap, email) },
    { name: 'Sends as (SMTP login)', value: login.smtp, hint: loginHint(login.smtp, email) },
    {
      name: 'Last fetched',
      value: lastFetchedAt ? exactWhenText(lastFetchedAt) : 'nothing yet',
      hint: lastFetchedAt ? 'up to three hours behind while no mail comes' : '',
    },
  ]
}

/** @param {string} login @param {string} email */
function loginHint(login, email) {
  return login.toLowerCase() === email.toLowerCase() ? 'same as the address' : 'differs from the address'
}

/** @param {any} channel */
function troublesOf({ auth, connection, folderFault, disconnectedAt }) {
  if (disconnectedAt) {
    const summary = `The mailbox was disconnected (${whenText(disconnectedAt)}). Nothing is sent or fetched.`
    const fault = { code: 'channel_disconnected', actor: 'owner', summary, evidence: null }
    return [{ axis: 'disconnected', tone: 'warn', fault, until: null, canReconnect: true }]
  }
  const troubles = []
  if (auth.state !== 'connected') {
    const fault = auth.fault ?? unexplained(auth.state)
    // Where the provider refuses the OAuth app, no owner's sign-in would help.
    const canReconnect = auth.state !== 'app_fault'
    troubles.push({ axis: 'auth', tone: 'bad', fault, until: null, canReconnect })
  }
  if (connection.state !== 'ok') {
    const fault = connection.fault ?? unexplained(connection.state)
    troubles.push({ axis: 'connection', tone: 'warn', fault, until: connection.until, canReconnect: false })
  }
  if (folderFault)
    troubles.push({ axis: 'folders', tone: 'warn', fault: folderFault, until: null, canReconnect: false })
  return troubles
}

/** @param {string} state */
function unexplained(state) {
  return { code: state, actor: '', summary: 'The mailbox does not work at the moment.', evidence: null }
}

/** @param {ReturnType<typeof troublesOf>[number]} trouble @param {() => void} onclick */
function troubleBox({ tone, fault, until, canReconnect }, onclick) {
  return faultBox(fault, {
    tone,
    children: [
      until ? element('p', { text: `Next attempt: ${exactWhenText(until)}` }) : null,
      canReconnect ? element('button', { type: 'button', class: 'main', text: 'Reconnect', onclick }) : null,
    ],
  })
}
