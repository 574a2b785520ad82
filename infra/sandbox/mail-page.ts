/** The page at `/`: everybody's folders, scripts and names, the outside world, and the forms to change and write. */
import type { Directory } from './directory.ts'
import { type MailSummary, readMail } from './mail.ts'
import { folderNames, type StoredMail } from './mailbox.ts'
import { html, type Markup, page } from './markup.ts'
import { addressesOf, type MailboxHolder, type Persona } from './personas.ts'
import type { PostOffice } from './post-office.ts'
import { scriptOptions } from './script-choice.ts'

interface ReadMail {
  stored: StoredMail
  mail: MailSummary
}

/** What the page is made of. */
interface Shown {
  directory: Directory
  postOffice: PostOffice
}

const providerNames = { microsoft: 'Microsoft 365', google: 'Gmail' } as const

/** Makes the page from what lies in the folders now, newest mail first. */
export async function mailPage({ directory, postOffice }: Shown): Promise<Markup> {
  const holders = directory.mailboxes()
  const outside = await readAll(postOffice.outside.messages('INBOX'))
  return page({
    title: 'Mail sandbox',
    narrow: false,
    body: html`
<h1>Mail sandbox</h1>
<p class="dim">A Microsoft and a Google that run on this machine. Nothing leaves it. Write to a mailbox as a customer would, and answer what was sent to the world.</p>
<ul>
${holders.map(({ id, name }) => html`<li><a href="#${id}">${name}</a></li>`)}
<li><a href="#outside">The outside world</a> (${outside.length})</li>
</ul>
${await Promise.all(holders.map(holder => mailboxSection(holder, { directory, postOffice })))}
<section id="outside" aria-labelledby="outside-heading">
<h2 id="outside-heading">The outside world</h2>
<p class="dim">What was sent to addresses that nobody here has.</p>
${outside.length === 0 ? html`<p>Nothing yet.</p>` : outside.map(outsideMail)}
</section>`,
  })
}

async function readAll(mails: StoredMail[]): Promise<ReadMail[]> {
  const read = await Promise.all(mails.map(async stored => ({ stored, mail: await readMail(stored.raw) })))
  return read.reverse()
}

async function mailboxSection(holder: MailboxHolder, { directory, postOffice }: Shown): Promise<Markup> {
  const { id, name } = holder
  const mailbox = postOffice.mailboxOf(holder)
  const [inbox = [], sent = []] = await Promise.all(
    folderNames.map(folder => readAll(mailbox.messages(folder))),
  )
  return html`<section id="${id}" aria-labelledby="${id}-heading">
<h2 id="${id}-heading">${name}</h2>
${holder.kind === 'person' ? personaFacts(holder, directory) : sharedFacts(holder)}
${folder('INBOX', inbox)}
${folder('Sent', sent)}
<details><summary>A customer writes to ${name}</summary>${customerForm(holder, sent)}</details>
${holder.kind === 'person' && personaForms(holder, directory)}
</section>
`
}

function personaFacts(persona: Persona, directory: Directory): Markup {
  const { provider, signInName, email, aliases } = persona
  return html`<dl>
<dt>Provider</dt><dd>${providerNames[provider]}</dd>
<dt>Signs in as</dt><dd>${signInName}</dd>
<dt>Mailbox</dt><dd>${email ?? `${signInName}, which no email claim tells`}</dd>
${aliases.length > 0 && html`<dt>Also</dt><dd>${aliases.join(', ')}</dd>`}
<dt>Script</dt><dd>${directory.scriptOf(persona)?.label ?? 'as usual'}</dd>
</dl>`
}

function sharedFacts(holder: MailboxHolder & { kind: 'shared' }): Markup {
  return html`<dl>
<dt>Provider</dt><dd>${providerNames[holder.provider]}, a shared mailbox: nobody signs in to it</dd>
<dt>Mailbox</dt><dd>${addressesOf(holder).join(', ')}</dd>
<dt>Open for</dt><dd>${holder.fullAccess.join(', ')}</dd>
<dt>Sending as it</dt><dd>${holder.sendAs.join(', ')}</dd>
</dl>`
}

function personaForms(persona: Persona, directory: Directory): Markup {
  const { id, name, provider, signInName, email } = persona
  const selected = directory.scriptOf(persona)
  return html`<details><summary>Let something go wrong for ${name}</summary>
<form method="post" action="/personas/${id}/script">
<label><span>From now on, also in sign-ins that choose nothing else</span>
<select name="script">${scriptOptions({ provider, selected, keeping: false })}</select></label>
<button class="main">Change</button>
</form></details>
<details><summary>An admin renames ${name}</summary>
<form method="post" action="/personas/${id}">
<label><span>Signs in as</span><input type="email" name="signInName" value="${signInName}" required></label>
${
  provider === 'microsoft' &&
  html`<label><span>Mailbox address</span><input type="email" name="email" value="${email}"></label>`
}
<button class="main">Rename</button>
</form></details>`
}

function folder(name: string, mails: ReadMail[]): Markup {
  return html`<h3>${name} (${mails.length})</h3>
${mails.map(({ mail }) => html`<article>${mailBody(mail)}</article>`)}`
}

function mailBody(mail: MailSummary): Markup {
  const writer = mail.from.map(({ name, address }) => (name ? `${name} <${address}>` : address)).join(', ')
  return html`<h4>${mail.subject || '(no subject)'}</h4>
<dl>
<dt>From</dt><dd>${writer}</dd>
<dt>Date</dt><dd>${mail.date}</dd>
<dt>Message-ID</dt><dd>${mail.messageId}</dd>
${mail.inReplyTo !== null && html`<dt>In-Reply-To</dt><dd>${mail.inReplyTo}</dd>`}
</dl>
<pre>${mail.text}</pre>`
}

function outsideMail({ stored, mail }: ReadMail): Markup {
  return html`<article>
<p class="dim">To ${stored.recipient}</p>
${mailBody(mail)}
<details><summary>Answer as ${stored.recipient}</summary>
<form method="post" action="/outside/${stored.uid}/reply">
<label><span>Text</span><textarea name="text" rows="4" required></textarea></label>
<button class="main">Send the answer</button>
</form></details>
</article>
`
}

function customerForm({ id }: MailboxHolder, sent: ReadMail[]): Markup {
  const answerable = sent.flatMap(({ mail }) =>
    mail.messageId === null ? [] : [{ id: mail.messageId, subject: mail.subject }],
  )
  return html`<form method="post" action="/mailboxes/${id}/deliver">
<label><span>From</span><input type="email" name="from" value="customer@outside.example" required></label>
<label><span>Subject</span><input type="text" name="subject"></label>
<label><span>Text</span><textarea name="text" rows="4" required></textarea></label>
${
  answerable.length > 0 &&
  html`<label><span>Answers</span><select name="inReplyTo"><option value="">no mail</option>
${answerable.map(({ id, subject }) => html`<option value="${id}">${subject || id}</option>`)}</select></label>`
}
<button class="main">Send</button>
</form>`
}
