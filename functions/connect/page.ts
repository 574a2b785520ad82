/** The pages a mailbox owner sees: plain HTML, no script, readable in light and dark. Everything shown is escaped. */

import { createHash } from 'node:crypto'
import type { PostroomError } from '../channel/faults.ts'
import type { HttpAnswer } from '../channel/http.ts'

const style = `
:root { color-scheme: light dark; --ink: light-dark(#1c2430, #e8ecf2); --quiet: light-dark(#586374, #a3aebd);
  --paper: light-dark(#fff, #1b212b); --ground: light-dark(#eef1f6, #10141a); --line: light-dark(#d5dbe4, #343d4b);
  --accent: light-dark(#1f5fbf, #8ab6ff); --on-accent: light-dark(#fff, #0c1a30); --bad: light-dark(#a3231f, #ff9c94); }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem; background: var(--ground);
  color: var(--ink); font: 1rem/1.55 system-ui, sans-serif }
main { width: min(28rem, 100%); background: var(--paper); border: 1px solid var(--line); border-radius: 14px; padding: 2rem }
h1 { font-size: 1.35rem; line-height: 1.3; margin: 0 0 .75rem } p { margin: 0 0 1rem } .quiet { color: var(--quiet); font-size: .9rem }
.bad { color: var(--bad) } ul { padding-left: 1.2rem; margin: 0 0 1.25rem }
button, .button { display: inline-block; width: 100%; border: 0; border-radius: 9px; padding: .8rem 1rem; font: inherit;
  font-weight: 600; text-align: center; text-decoration: none; background: var(--accent); color: var(--on-accent); cursor: pointer }
button:focus-visible, a:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px }
code { font-size: .85rem; overflow-wrap: anywhere }`

const styleHash = createHash('sha256').update(style).digest('base64')

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
}

interface Page {
  status: number
  title: string
  body: string
  /** Where forms may lead, besides here: browsers apply this to redirects as well. */
  formTarget?: string
  cookie?: string
}

function page({ status, title, body, formTarget, cookie }: Page): HttpAnswer {
  return {
    statusCode: status,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'content-security-policy': [
        "default-src 'none'",
        `style-src 'sha256-${styleHash}'`,
        `form-action ${formTarget ? `'self' ${formTarget}` : "'none'"}`,
        "frame-ancestors 'none'",
        "base-uri 'none'",
      ].join('; '),
    },
    ...(cookie && { cookies: [cookie] }),
    body: `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title><style>${style}</style></head>
<body><main><h1>${escapeHtml(title)}</h1>${body}</main></body></html>`,
  }
}

/** 303: the browser must not carry a POST on to the provider (RFC 9700 4.12). */
export function redirect(location: string): HttpAnswer {
  return {
    statusCode: 303,
    headers: { location, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' },
  }
}

export function connectPage(view: {
  providerName: string
  mailbox: string | null
  isReconnect: boolean
  formTarget: string
  cookie: string
}): HttpAnswer {
  const provider = escapeHtml(view.providerName)
  const mailbox = view.mailbox ? `<strong>${escapeHtml(view.mailbox)}</strong>` : 'your mailbox'
  return page({
    status: 200,
    title: view.isReconnect ? 'Reconnect your mailbox' : 'Connect your mailbox',
    formTarget: view.formTarget,
    cookie: view.cookie,
    body: `<p>The app that sent you here asks to work with ${mailbox} at ${provider}. If you agree, it can</p>
<ul><li>read mail that arrives</li><li>send replies in your name</li></ul>
<form method="post"><button type="submit">Continue to ${provider}</button></form>
<p class="quiet">You sign in at ${provider}; your password is never shown to the app. Continue only if you came here from an app you trust.</p>`,
  })
}

export function donePage(view: { email: string; isConfirmed: boolean }): HttpAnswer {
  const email = `<strong>${escapeHtml(view.email)}</strong>`
  return page({
    status: 200,
    title: view.isConfirmed ? 'Mailbox connected' : 'Almost done',
    body: view.isConfirmed
      ? `<p>${email} is connected. You can close this page.</p>`
      : `<p>The sign-in as ${email} worked. Please return to the app, which completes the connection.</p>`,
  })
}

export function failurePage(error: PostroomError, backUrl: string | null): HttpAnswer {
  const who = {
    nobody: 'You need not change anything. Please try again in a few minutes.',
    app: 'Please go back to the app and ask for a new link.',
    owner: 'You can go back to the app and try again.',
    tenant_admin: 'An administrator of your organization has to act.',
    operator: 'Whoever runs this service has to act.',
  }[error.row.actor]
  const details = error.errors.map(
    ({ field, rule, found }) => `<li>${escapeHtml(`${field} ${rule}; found: ${found}`)}</li>`,
  )
  return page({
    status: error.row.status,
    title: 'The mailbox was not connected',
    body: `<p class="bad" role="alert">${escapeHtml(error.row.summary)}</p><p>${who}</p>
${details.length > 0 ? `<ul>${details.join('')}</ul>` : ''}
${backUrl ? `<p><a class="button" href="${escapeHtml(backUrl)}">Back to the app</a></p>` : ''}
<p class="quiet">Code: <code>${error.code}</code></p>`,
  })
}
