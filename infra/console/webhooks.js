/** The webhooks of an account: where its events are posted, how each receiver fares, and what a person may do about it. */

import { ApiError, sentenceOf } from './api.js'
import { byId, element } from './elements.js'
import { toast } from './toast.js'
import { showWebhooks } from './webhook-list.js'
import { eventName, eventNames, ruleSentence } from './wording.js'

/**
 * @param {{ api: import('./api.js').Api, accountId(): string, newestEvents(): any[] }} options
 *   `newestEvents` are those that can be chosen one by one to be delivered again
 */
export function openWebhooks({ api, accountId, newestEvents }) {
  const form = byId('webhook-form')
  const redelivery = byId('redelivery')
  /** @type {any[] | null} null until the first answer */
  let webhooks = null
  let accountShown = ''
  let trouble = ''
  /** @type {Map<string, { tone: string, text: string }>} What was done last with a webhook, by its id. */
  const outcomes = new Map()
  /** @type {any} The webhook that the dialog is open for. */
  let chosen = null

  const types = Object.keys(eventNames)
  byId('webhook-types').append(...types.map(typeBox))
  form.addEventListener('submit', (/** @type {SubmitEvent} */ event) => {
    event.preventDefault()
    create()
  })
  byId('secret-copy').addEventListener('click', copySecret)
  byId('secret-close').addEventListener('click', () => byId('secret').close())
  byId('secret').addEventListener('close', () => {
    byId('secret-value').value = ''
  })
  byId('redelivery-close').addEventListener('click', () => redelivery.close())
  byId('redelivery-form').addEventListener('submit', (/** @type {SubmitEvent} */ event) => {
    event.preventDefault()
    redelivery.close()
    deliverAgain(chosen, byId('redelivery-what').value)
  })

  async function refresh() {
    const account = accountId()
    if (account !== accountShown) {
      accountShown = account
      webhooks = null
      show()
    }
    try {
      const query = new URLSearchParams({ accountId: account, limit: '100' })
      const page = await api.call('GET', `/v1/webhooks?${query}`)
      if (account !== accountId()) return
      webhooks = page.webhooks
      trouble = ''
    } catch (error) {
      trouble = sentenceOf(error)
    }
    show()
  }

  function show() {
    showWebhooks({ webhooks, trouble, outcomes }, { test, rotate, remove, setState, chooseEvents })
  }

  async function create() {
    const url = byId('webhook-url').value.trim()
    const all = [...form.querySelectorAll('input[type=checkbox]')]
    const wanted = all.filter(box => box.checked).map(box => box.value)
    // Whoever wants all of today's wants tomorrow's too.
    const body = { accountId: accountId(), url, types: wanted.length === all.length ? null : wanted }
    showFault('')
    try {
      const { secret } = await api.call('POST', '/v1/webhooks', { body })
      form.reset()
      showSecret(secret, `It signs what is posted to ${url}.`)
    } catch (error) {
      const rules = error instanceof ApiError ? error.errors.filter(({ field }) => field !== 'accountId') : []
      showFault(rules.length > 0 ? rules.map(ruleSentence).join(' ') : sentenceOf(error))
    }
    refresh()
  }

  /** @param {string} sentence */
  function showFault(sentence) {
    byId('webhook-error').textContent = sentence
    byId('webhook-url').setAttribute('aria-invalid', String(sentence !== ''))
    if (sentence !== '') byId('webhook-url').focus()
  }

  /** @param {string} secret @param {string} about */
  function showSecret(secret, about) {
    byId('secret-about').textContent = about
    byId('secret-value').value = secret
    byId('secret').showModal()
    byId('secret-value').select()
  }

  async function copySecret() {
    try {
      await navigator.clipboard.writeText(byId('secret-value').value)
      byId('secret-copy').textContent = 'Copied'
      setTimeout(() => {
        byId('secret-copy').textContent = 'Copy'
      }, 3_000)
    } catch {
      // A browser may forbid it; then the person copies what is selected.
      byId('secret-value').select()
    }
  }

  /** @param {any} webhook @param {() => Promise<{ tone: string, text: string }>} work */
  async function act({ id }, work) {
    outcomes.set(id, { tone: 'neutral', text: 'Working …' })
    show()
    try {
      const outcome = await work()
      outcomes.set(id, outcome)
      // Said aloud there; the list is made anew, which screen readers pass over.
      toast(outcome.text)
    } catch (error) {
      outcomes.set(id, { tone: 'bad', text: sentenceOf(error) })
    }
    await refresh()
  }

  /** @param {any} webhook @param {string} [step] */
  const pathOf = ({ id }, step) => `/v1/webhooks/${encodeURIComponent(id)}${step ? `/${step}` : ''}`

  /** @param {any} webhook */
  function test(webhook) {
    return act(webhook, async () => {
      const { accepted, evidence, durationMs } = await api.call('POST', pathOf(webhook, 'test'))
      return accepted
        ? { tone: 'good', text: `The test was accepted: ${evidence} after ${durationMs} ms.` }
        : { tone: 'bad', text: `The test was not accepted: ${evidence}.` }
    })
  }

  /** @param {any} webhook */
  function rotate(webhook) {
    const question =
      'Make a new secret? For 24 hours what is posted is signed with both, so that you can change over.'
    if (!window.confirm(question)) return
    act(webhook, async () => {
      const { secret } = await api.call('POST', pathOf(webhook, 'rotate-secret'))
      showSecret(secret, `The secret before it stays good for 24 hours, at ${webhook.url}.`)
      return { tone: 'good', text: 'It has a new secret.' }
    })
  }

  /** @param {any} webhook @param {'active' | 'paused'} state */
  function setState(webhook, state) {
    return act(webhook, async () => {
      await api.call('PATCH', pathOf(webhook), { body: { state } })
      const text =
        state === 'active' ? 'What waits is delivered now.' : 'Nothing is posted until you resume it.'
      return { tone: 'good', text }
    })
  }

  /** @param {any} webhook */
  async function remove(webhook) {
    if (!window.confirm(`Remove the webhook to ${webhook.url}? Nothing more is posted there.`)) return
    try {
      await api.call('DELETE', pathOf(webhook))
      outcomes.delete(webhook.id)
      toast('The webhook is removed.')
      byId('webhooks').focus()
    } catch (error) {
      outcomes.set(webhook.id, { tone: 'bad', text: sentenceOf(error) })
    }
    refresh()
  }

  /** @param {any} webhook */
  function chooseEvents(webhook) {
    chosen = webhook
    const wanted = newestEvents().filter(({ type }) => webhook.types === null || webhook.types.includes(type))
    byId('redelivery-what').replaceChildren(
      element('option', { value: '', text: 'Everything in the log (30 days)' }),
      ...wanted.map(event => element('option', { value: event.id, text: optionText(event) })),
    )
    byId('redelivery-url').textContent = webhook.url
    redelivery.showModal()
  }

  /** @param {any} webhook @param {string} eventId empty for the whole log, page by page */
  function deliverAgain(webhook, eventId) {
    return act(webhook, async () => {
      let queued = 0
      let after = null
      do {
        const body = eventId ? { eventId } : { limit: 100, ...(after && { after }) }
        const page = await api.call('POST', pathOf(webhook, 'redeliver'), { body })
        queued += page.queued
        after = page.cursor
        outcomes.set(webhook.id, { tone: 'neutral', text: `${queued} events queued …` })
        show()
      } while (after !== null)
      return { tone: 'good', text: `${queued} ${queued === 1 ? 'event is' : 'events are'} delivered again.` }
    })
  }

  return { refresh }
}

/** @param {any} event */
function optionText({ type, occurredAt, data }) {
  const about = data.message?.subject ?? data.channel?.email ?? ''
  return [new Date(occurredAt).toLocaleString(), eventName(type), about].filter(Boolean).join(' · ')
}

/** @param {string} type */
function typeBox(type) {
  return element('label', {
    class: 'choice',
    children: [
      element('input', { type: 'checkbox', value: type, checked: true }),
      element('span', { children: [eventName(type), ' ', element('code', { text: type })] }),
    ],
  })
}
