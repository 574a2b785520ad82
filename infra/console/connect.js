/** Connects mailboxes: asks for a link, goes there, and completes the connection when the browser comes back. */

import { ApiError, NoAnswer, sentenceOf } from './api.js'
import { byId, element } from './elements.js'
import { faultBox } from './fault.js'
import { actorSentence, providerNames } from './wording.js'

/**
 * @param {{ api: import('./api.js').Api, accountId(): string, onStarted(accountId: string): void,
 *   onConnected(channel: any): void, onFailed(sentence: string, field: string | null): void }} options
 */
export function openConnect({ api, accountId, onStarted, onConnected, onFailed }) {
  const notice = byId('notice')
  const noticeText = byId('notice-text')
  const retry = byId('notice-retry')
  let isLeaving = false

  for (const [provider, name] of Object.entries(providerNames)) {
    const onclick = () => start({ provider, accountId: accountId() })
    byId('providers').append(element('button', { type: 'button', text: name, onclick }))
  }
  byId('notice-close').addEventListener('click', () => {
    notice.hidden = true
  })
  retry.addEventListener('click', finish)
  // A browser may bring this very page back from its memory.
  window.addEventListener('pageshow', () => {
    isLeaving = false
  })

  /** @param {{ provider: string, accountId: string, channelId?: string }} wanted `channelId` to reconnect that one */
  async function start(wanted) {
    if (isLeaving) return
    isLeaving = true
    try {
      const body = { ...wanted, returnUrl: `${location.origin}/` }
      const { connectUrl } = await api.call('POST', '/v1/connect-sessions', { body })
      onStarted(wanted.accountId)
      location.assign(connectUrl)
    } catch (error) {
      isLeaving = false
      const field = error instanceof ApiError ? (error.errors[0]?.field ?? null) : null
      onFailed(sentenceOf(error), field)
    }
  }

  /** The second half, where the URL says that a sign-in ended. Safe to repeat, as confirming is. */
  async function finish() {
    const sessionId = new URLSearchParams(location.search).get('connect_session')
    if (!sessionId) return
    const path = `/v1/connect-sessions/${encodeURIComponent(sessionId)}`
    show('neutral', [element('p', { text: 'Completing the connection …' })])
    try {
      // What the URL says of the outcome is a hint that anybody can write; the session knows.
      const session = await api.call('GET', path)
      if (session.state === 'failed' && session.fault) showFailure(session.fault)
      else if (session.state === 'expired') showExpired()
      else {
        const { channel } = await api.call('POST', `${path}/confirm`)
        showConnected(channel)
        onConnected(channel)
      }
    } catch (error) {
      show('bad', [
        element('p', { children: [element('strong', { text: 'The mailbox was not connected' })] }),
        element('p', { text: sentenceOf(error) }),
        element('p', { text: error instanceof ApiError ? actorSentence(error.actor) : '' }),
      ])
      // Without an answer the URL stays as it is, so that even a reload can complete the connection.
      retry.hidden = !(error instanceof NoAnswer)
      if (error instanceof NoAnswer) return
    }
    history.replaceState(null, '', `${location.pathname}${location.hash}`)
  }

  /** @param {any} fault */
  function showFailure(fault) {
    show('bad', [
      element('p', { children: [element('strong', { text: 'The mailbox was not connected' })] }),
      faultBox(fault, { tone: 'bare' }),
    ])
  }

  function showExpired() {
    show('bad', [
      element('p', { children: [element('strong', { text: 'The mailbox was not connected' })] }),
      element('p', { text: 'The sign-in took too long. Please connect once more.' }),
    ])
  }

  /** @param {any} channel */
  function showConnected({ email, accountId: account }) {
    show('good', [
      element('p', {
        children: [element('strong', { text: email }), ` is connected to the account ${account}.`],
      }),
    ])
  }

  /** @param {string} tone @param {Node[]} content */
  function show(tone, content) {
    notice.className = `notice ${tone}`
    notice.hidden = false
    retry.hidden = true
    noticeText.replaceChildren(...content)
  }

  return {
    start,
    finish,
    /** Good news has been read once somebody goes on; anything else waits to be dismissed. */
    dismiss() {
      if (notice.classList.contains('good')) notice.hidden = true
    },
  }
}
