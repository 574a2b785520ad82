/** Which folders of the open mailbox are read: a small form, and what the mailbox does not have of them. */

import { ApiError, sentenceOf } from './api.js'
import { byId, element } from './elements.js'
import { ruleSentence } from './wording.js'

/** By their name in the API; what else it knows (`all`, `trash`) can be written as a name. @type {Record<string, string>} */
const roles = { INBOX: 'Inbox', sent: 'Sent', junk: 'Junk', archive: 'Archive' }

/** The mailbox is asked within seconds; where it is not, its next turn shows. */
const looks = 15
const lookEveryMs = 1_000

/** @param {{ api: import('./api.js').Api, onChange(channel: any): void }} options `onChange` hears what the API answers */
export function openFolders({ api, onChange }) {
  const form = byId('folders-form')
  const names = byId('folders-names')
  const fault = byId('folders-error')
  /** @type {any} What the form is about. */
  let channel = null
  /** What it held when nobody had touched it. */
  let untouched = ''
  let isSaving = false

  byId('folders-roles').append(...Object.entries(roles).map(([role, text]) => roleBox(role, text)))
  form.addEventListener('submit', (/** @type {SubmitEvent} */ event) => {
    event.preventDefault()
    if (!isSaving) save()
  })
  byId('folders-reset').addEventListener('click', () => {
    fill()
    forgetOutcome()
  })

  /** @returns {string[]} as the form has them now */
  function typed() {
    const boxes = [...form.querySelectorAll('input')].filter(box => box.checked).map(box => box.value)
    const others = names.value.split('\n').map((/** @type {string} */ line) => line.trim())
    return [...boxes, ...others.filter((/** @type {string} */ line) => line !== '')]
  }

  function fill() {
    const folders = channel.folders.map(inOneSpelling)
    for (const box of form.querySelectorAll('input')) box.checked = folders.includes(box.value)
    names.value = folders.filter((/** @type {string} */ folder) => !Object.hasOwn(roles, folder)).join('\n')
    untouched = JSON.stringify(typed())
  }

  function forgetOutcome() {
    tellFault([])
    byId('folders-status').textContent = ''
  }

  /** @param {string[]} sentences */
  function tellFault(sentences) {
    fault.replaceChildren(...sentences.map(text => element('span', { text })))
    names.setAttribute('aria-invalid', String(sentences.length > 0))
  }

  async function save() {
    isSaving = true
    const { id } = channel
    const path = `/v1/channels/${encodeURIComponent(id)}`
    forgetOutcome()
    try {
      let saved = await api.call('PATCH', path, { body: { folders: typed() } })
      untouched = JSON.stringify(typed())
      onChange(saved)
      for (let look = 0; look < looks && isToBeLookedFor(saved); look++) {
        if (channel.id === id) byId('folders-status').textContent = 'Saved. The mailbox is asked for them …'
        await new Promise(resolve => setTimeout(resolve, lookEveryMs))
        saved = await api.call('GET', path)
        onChange(saved)
      }
      if (channel.id === id) byId('folders-status').textContent = outcomeOf(saved)
    } catch (error) {
      const broken = error instanceof ApiError ? error.errors : []
      tellFault(broken.length > 0 ? broken.map(ruleSentence) : [sentenceOf(error)])
    } finally {
      isSaving = false
    }
  }

  /** @param {any} current */
  function show(current) {
    const isOther = channel?.id !== current.id
    channel = current
    // What somebody is writing is theirs until they save it or take it back.
    const isTouched = !isOther && JSON.stringify(typed()) !== untouched
    if (!isTouched) fill()
    if (isOther) {
      forgetOutcome()
      byId('folders').open = false
    }
    const { folders, missingFolders, disconnectedAt } = channel
    byId('folders-summary').textContent = `Folders: ${folders.map(nameOf).join(', ')}`
    byId('folders-missing').textContent = missingSentence(missingFolders)
    for (const control of form.elements) control.disabled = disconnectedAt !== null
  }

  return { show }
}

/** @param {string} role @param {string} text */
function roleBox(role, text) {
  const box = element('input', { type: 'checkbox', value: role })
  return element('label', { class: 'choice', children: [box, text] })
}

/** INBOX alone knows no difference between small and large letters. @param {string} folder */
function inOneSpelling(folder) {
  return folder.toUpperCase() === 'INBOX' ? 'INBOX' : folder
}

/** @param {string} folder */
function nameOf(folder) {
  const spelled = inOneSpelling(folder)
  return Object.hasOwn(roles, spelled) ? roles[spelled] : folder
}

/** @param {any} channel */
function isToBeLookedFor({ folders, foldersLookedAt }) {
  return (
    foldersLookedAt === null &&
    folders.some((/** @type {string} */ folder) => inOneSpelling(folder) !== 'INBOX')
  )
}

/** @param {any} channel */
function outcomeOf(channel) {
  if (isToBeLookedFor(channel)) return 'Saved. They are looked for when the mailbox is read next.'
  return channel.missingFolders.length > 0 ? 'Saved.' : 'Saved. The mailbox has all of them.'
}

/** @param {string[]} missing */
function missingSentence(missing) {
  if (missing.length === 0) return ''
  const names = missing.map(folder => `“${nameOf(folder)}”`).join(', ')
  return `${names} ${missing.length === 1 ? 'is' : 'are'} not in this mailbox.`
}
