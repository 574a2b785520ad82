/** The form for a new message or a reply. What is written in it is sent once, however often "Send" is pressed. */

import { ApiError, NoAnswer, sentenceOf } from './api.js'
import { byId, element } from './elements.js'
import { toast } from './toast.js'
import { addressesText, replySubject, ruleSentence } from './wording.js'

/** @typedef {import('./drafts.js').Draft} Draft */

const fields = ['to', 'subject', 'text']

/**
 * @param {{ api: import('./api.js').Api, drafts: ReturnType<typeof import('./drafts.js').openDrafts>, onAccepted(message: any): void }} options
 *   closing the form loses no draft
 */
export function openCompose({ api, drafts, onAccepted }) {
  const dialog = byId('compose')
  const form = byId('compose-form')
  const send = byId('compose-send')
  const anew = byId('compose-anew')
  /** @type {{ channel: any, place: string, draft: Draft } | null} */
  let open = null
  /** @type {Set<Draft>} */
  const sending = new Set()

  form.addEventListener('submit', (/** @type {SubmitEvent} */ event) => {
    event.preventDefault()
    submit()
  })
  form.addEventListener('input', keep)
  form.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== 'Enter' || event.isComposing) return
    const isWanted = event.ctrlKey || event.metaKey
    const isLine = event.target instanceof HTMLInputElement
    // A mail must not leave because somebody pressed Enter after the address.
    if (isWanted || isLine) event.preventDefault()
    if (isWanted) submit()
  })
  dialog.addEventListener('close', () => {
    open = null
  })
  byId('compose-close').addEventListener('click', () => dialog.close())
  anew.addEventListener('click', () => {
    if (open) open.draft.key = crypto.randomUUID()
    submit()
  })

  /** @param {any} channel @param {any} [original] the message that is answered */
  function write(channel, original) {
    const place = `${channel.id} ${original?.id ?? ''}`
    const draft = drafts.get(place) ?? newDraft(original)
    open = { channel, place, draft }
    byId('compose-title').textContent = original ? 'Reply' : 'New message'
    byId('compose-from').textContent = addressesText([{ address: channel.email, name: channel.displayName }])
    for (const name of fields) form.elements[name].value = Reflect.get(draft, name)
    showFaults([])
    byId('compose-error').textContent = ''
    anew.hidden = true
    showSending()
    dialog.showModal()
    const first = original ? form.elements.text : form.elements.to
    first.focus()
  }

  function keep() {
    if (!open) return
    const { draft, place } = open
    for (const name of fields) Reflect.set(draft, name, form.elements[name].value)
    drafts.set(place, draft)
  }

  async function submit() {
    if (!open || sending.has(open.draft)) return
    keep()
    const { channel, draft, place } = open
    sending.add(draft)
    showSending()
    showFaults([])
    byId('compose-error').textContent = ''
    anew.hidden = true
    try {
      const path = `/v1/channels/${encodeURIComponent(channel.id)}/messages`
      const headers = { 'idempotency-key': draft.key }
      const message = await api.call('POST', path, { body: documentOf(draft), headers })
      drafts.delete(place)
      if (open?.draft === draft) dialog.close()
      onAccepted(message)
    } catch (error) {
      if (open?.draft === draft) showError(error)
      else toast(`The message is kept as a draft. ${sentenceOf(error)}`)
    } finally {
      sending.delete(draft)
      showSending()
    }
  }

  /** Not `disabled`, which would throw the focus away. */
  function showSending() {
    const value = open !== null && sending.has(open.draft)
    send.setAttribute('aria-disabled', String(value))
    send.textContent = value ? 'Sending …' : 'Send'
    for (const name of fields) form.elements[name].readOnly = value
  }

  /** @param {unknown} error */
  function showError(error) {
    const line = byId('compose-error')
    if (error instanceof NoAnswer) {
      line.textContent =
        'No answer came, so it is not known whether the message was accepted. Press “Send” again: it is sent only once.'
    } else if (error instanceof ApiError && error.code === 'idempotency_conflict') {
      line.textContent =
        'This message was accepted before you changed it. You find it under “Sent”. The changed text can go out as another message.'
      anew.hidden = false
    } else if (error instanceof ApiError && error.errors.length > 0) {
      const others = showFaults(error.errors)
      const isMarked = others.length < error.errors.length
      line.textContent = [
        isMarked ? 'Please correct what is marked above.' : error.message,
        ...others.map(({ field, rule }) => `${field} ${rule}.`),
      ].join(' ')
    } else line.textContent = sentenceOf(error)
  }

  /** @param {import('./api.js').ApiError['errors']} errors @returns those that belong to no field of the form */
  function showFaults(errors) {
    const fieldOf = (/** @type {string} */ path) => path.split('.')[0] ?? ''
    for (const name of fields) {
      const own = errors.filter(({ field }) => fieldOf(field) === name)
      byId(`compose-${name}-error`).replaceChildren(
        ...own.map(fault => element('span', { text: ruleSentence(fault) })),
      )
      form.elements[name].setAttribute('aria-invalid', String(own.length > 0))
    }
    const first = fields.find(name => errors.some(({ field }) => fieldOf(field) === name))
    if (first) form.elements[first].focus()
    return errors.filter(({ field }) => !fields.includes(fieldOf(field)))
  }

  return { write }
}

/** @param {any} [original] @returns {Draft} */
function newDraft(original) {
  const draft = { key: crypto.randomUUID(), to: '', subject: '', text: '', inReplyTo: null }
  if (!original) return draft
  const { direction, replyTo, from, to } = original
  const answered = direction === 'outbound' ? to : replyTo.length > 0 ? replyTo : from
  return {
    ...draft,
    to: answered.map((/** @type {{ address: string }} */ { address }) => address).join(', '),
    subject: replySubject(original.subject),
    inReplyTo: original.id,
  }
}

/** The API's rules are the only ones: what is empty is left out, and the answer says what is missing. @param {Draft} draft */
function documentOf({ to, subject, text, inReplyTo }) {
  return {
    to: readAddresses(to),
    subject,
    ...(text.trim() !== '' && { text }),
    ...(inReplyTo && { inReplyTo }),
  }
}

/** `a@x.example, Bo Li <b@x.example>`. @param {string} text */
function readAddresses(text) {
  const entries = text.split(/[,;\n]/).map(entry => entry.trim())
  return entries
    .filter(entry => entry !== '')
    .map(entry => {
      const [, name = '', address] = /^(.*)<([^<>]*)>$/.exec(entry) ?? []
      if (address === undefined) return { address: entry }
      const shown = name.trim().replace(/^"(.*)"$/, '$1')
      return { address: address.trim(), ...(shown !== '' && { name: shown }) }
    })
}
