/** The pages at the end: connected, connected in part, or not, with who must act. */

import type { Channel } from '../channel/channels.ts'
import type { Actor, PostroomError } from '../channel/faults.ts'
import type { HttpAnswer } from '../channel/http.ts'
import { escapeHtml, page } from './page.ts'

export function donePage(view: {
  email: string
  isConfirmed: boolean
  access: Channel['access'] | null
}): HttpAnswer {
  const email = `<strong>${escapeHtml(view.email)}</strong>`
  const title = view.isConfirmed ? 'Mailbox connected' : 'Almost done'
  const next = view.isConfirmed
    ? 'You can close this page.'
    : 'Please return to the app, which completes the connection.'
  return page({
    status: 200,
    title,
    body: `<p class="mark good" aria-hidden="true">✓</p><h1>${title}</h1>
<p>The sign-in as ${email} worked.</p>${accessList(view.access)}<p>${next}</p>`,
  })
}

/** Connected for what works, and plain about what does not. */
function accessList(access: Channel['access'] | null): string {
  if (access === null) return ''
  const line = (can: string, cannot: string, { state, fault }: Channel['access']['imap']) =>
    state === 'ok'
      ? `<li><span class="good" aria-hidden="true">✓</span> ${can}</li>`
      : `<li><span class="warn" aria-hidden="true">!</span> <span>${cannot}: ${escapeHtml(fault?.summary ?? '')} ${whoMustActThen(fault?.actor)}</span></li>`
  return `<ul class="steps">${line('Mail that arrives is read', 'Mail cannot be read', access.imap)}${line('Replies are sent', 'Replies cannot be sent', access.smtp)}</ul>`
}

function whoMustActThen(actor: string | undefined): string {
  return actor === 'tenant_admin' ? 'Once that is done, it is found by itself.' : ''
}

const whatNow: Record<Actor, string> = {
  nobody: 'You need not change anything. Please try again in a few minutes.',
  app: 'Please go back to the app and ask for a new link.',
  owner: 'You can try again.',
  tenant_admin: 'An administrator of your organization has to act.',
  operator: 'Whoever runs this service has to act; trying again will not help.',
}

export interface FailureLinks {
  /** The app's own page. */
  backUrl: string | null
  /** What an administrator has to open. */
  adminUrl: string | null
  /** Where the person may begin once more. */
  againUrl: string | null
}

export const noLinks: FailureLinks = { backUrl: null, adminUrl: null, againUrl: null }

export function failurePage(error: PostroomError, { backUrl, adminUrl, againUrl }: FailureLinks): HttpAnswer {
  const { status, summary, actor } = error.row
  const details = error.errors.map(
    ({ field, rule, found }) => `<li>${escapeHtml(`${field} ${rule}; found: ${found}`)}</li>`,
  )
  const evidence = error.evidence ? ` · ${escapeHtml(error.evidence)}` : ''
  return page({
    status,
    title: 'The mailbox was not connected',
    body: `<p class="mark bad" aria-hidden="true">✕</p><h1>The mailbox was not connected</h1>
<p>${escapeHtml(summary)}</p><p>${whatNow[actor]}</p>
${details.length > 0 ? `<ul>${details.join('')}</ul>` : ''}
${adminUrl ? adminLink(adminUrl) : ''}
${againUrl ? button(againUrl, 'Try again', adminUrl !== null) : ''}
${backUrl ? button(backUrl, 'Back to the app', adminUrl !== null || againUrl !== null) : ''}
<p class="quiet">Code: <code>${error.code}</code>${evidence}</p>`,
  })
}

function button(url: string, label: string, isSecond: boolean): string {
  return `<a class="button${isSecond ? ' second' : ''}" href="${escapeHtml(url)}">${label}</a>`
}

function adminLink(url: string): string {
  return `<p>Please send this link to an administrator. After they have accepted, connect again.</p>
${button(url, 'Approve as administrator', false)}`
}

export function adminDonePage(): HttpAnswer {
  return page({
    status: 200,
    title: 'Approved',
    body: `<p class="mark good" aria-hidden="true">✓</p><h1>Approved for your organization</h1>
<p>People of your organization can now connect their mailboxes. Whoever asked you can go back to the app and try again.</p>`,
  })
}
