/** The pages on the way: what will happen, and that it is happening. */

import type { HttpAnswer } from '../channel/http.ts'
import { escapeHtml, page } from './page.ts'

export function connectPage(view: {
  /** As the owner of this installation calls the app; null where nobody said. */
  appName: string | null
  providerName: string
  mailbox: string | null
  isReconnect: boolean
  formTarget: string
  cookie: string
}): HttpAnswer {
  const provider = escapeHtml(view.providerName)
  const app = view.appName ? `<strong>${escapeHtml(view.appName)}</strong>` : 'The app that sent you here'
  const mailbox = view.mailbox ? `<strong>${escapeHtml(view.mailbox)}</strong>` : 'your mailbox'
  const title = view.isReconnect ? 'Reconnect your mailbox' : 'Connect your mailbox'
  return page({
    status: 200,
    title,
    formTarget: view.formTarget,
    cookie: view.cookie,
    body: `<h1>${title}</h1>
<p>${app} asks to work with ${mailbox} at ${provider}. If you agree, it can</p>
<ul><li>read the mail that arrives there</li><li>send replies from it</li></ul>
<form method="post"><button type="submit">Continue to ${provider}</button></form>
<p class="quiet">You sign in at ${provider} itself; your password is never shown to the app. Continue only if you came here from an app you trust, to connect a mailbox of your own.</p>`,
  })
}

/** Shown while the request for `checkUrl` runs: the browser keeps this page until that one answers. */
export function checkingPage({ email, checkUrl }: { email: string; checkUrl: string }): HttpAnswer {
  return page({
    status: 200,
    title: 'Checking your mailbox',
    continueTo: checkUrl,
    body: `<h1>Checking your mailbox</h1>
<div class="bar" role="progressbar" aria-label="Checking the mail servers"></div>
<ul class="steps">
<li><span class="good" aria-hidden="true">✓</span> Signed in as ${escapeHtml(email)}</li>
<li><span class="quiet" aria-hidden="true">…</span> Trying to read and to send with it</li>
</ul>
<p class="quiet">This takes a few seconds. If nothing happens, <a href="${escapeHtml(checkUrl)}">go on</a>.</p>`,
  })
}
