/** Shows webhooks: where each posts to, how its receiver fares, what it said last, and the buttons. */

import { badge, byId, element, showList } from './elements.js'
import { eventName, exactWhenText, webhookHealth } from './wording.js'

/**
 * @typedef {object} WebhookActions
 * @property {(webhook: any) => void} test
 * @property {(webhook: any) => void} rotate
 * @property {(webhook: any) => void} remove
 * @property {(webhook: any) => void} chooseEvents
 * @property {(webhook: any, state: 'active' | 'paused') => void} setState
 */

/**
 * @param {{ webhooks: any[] | null, trouble: string, outcomes: Map<string, { tone: string, text: string }> }} view
 * @param {WebhookActions} actions
 */
export function showWebhooks({ webhooks, trouble, outcomes }, actions) {
  const quiet =
    webhooks?.length === 0 ? 'None yet. Add one above: your app is then told what happens here.' : ''
  byId('webhooks-status').textContent = trouble || (webhooks === null ? 'Loading …' : quiet)
  showList(byId('webhook-list'), {
    entries: (webhooks ?? []).map(webhook => ({ webhook, outcome: outcomes.get(webhook.id) ?? null })),
    keyOf: ({ webhook }) => webhook.id,
    render: ({ webhook, outcome }) => renderWebhook(webhook, outcome, actions),
  })
}

/** @param {any} webhook @param {{ tone: string, text: string } | null} outcome @param {WebhookActions} actions */
function renderWebhook(webhook, outcome, actions) {
  const health = webhookHealth(webhook)
  const isPaused = webhook.state === 'paused'
  /** @param {string} text @param {() => void} onclick */
  const button = (text, onclick) => element('button', { type: 'button', text, onclick })
  return element('li', {
    class: 'webhook',
    children: [
      element('h3', { children: [element('code', { text: webhook.url }), badge(health)] }),
      element('p', { class: 'quiet', text: typesText(webhook.types) }),
      health.meaning ? element('p', { class: `fault ${health.tone}`, text: health.meaning }) : null,
      lastFailure(webhook),
      oldSecret(webhook),
      element('div', {
        class: 'actions',
        children: [
          button('Send a test', () => actions.test(webhook)),
          button('Deliver again …', () => actions.chooseEvents(webhook)),
          isPaused
            ? button('Resume', () => actions.setState(webhook, 'active'))
            : button('Pause', () => actions.setState(webhook, 'paused')),
          button('New secret', () => actions.rotate(webhook)),
          button('Remove', () => actions.remove(webhook)),
        ],
      }),
      outcome && element('p', { class: `outcome ${outcome.tone}`, text: outcome.text }),
    ],
  })
}

/** @param {string[] | null} types */
function typesText(types) {
  return types === null ? 'Every event' : types.map(eventName).join(', ')
}

/** What came in the way of the last delivery that failed. @param {any} webhook */
function lastFailure({ lastFailure: failure }) {
  if (!failure) return null
  return element('p', {
    class: 'quiet',
    children: [
      'Last failure: ',
      element('time', { datetime: failure.at, title: failure.at, text: exactWhenText(failure.at) }),
      ' ',
      element('code', { text: failure.evidence }),
    ],
  })
}

/** @param {any} webhook */
function oldSecret({ secrets }) {
  const old = secrets.find(
    (/** @type {any} */ { expiresAt }) => expiresAt && Date.parse(expiresAt) > Date.now(),
  )
  return old
    ? element('p', {
        class: 'quiet',
        text: `The secret before stays good until ${exactWhenText(old.expiresAt)}.`,
      })
    : null
}
