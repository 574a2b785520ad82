/**
 * The sandbox's own HTTP interface to mail: what lies in the folders, what reached the outside world, and mail from
 * customers. JSON for programs; the forms of the page at `/` post to the same addresses.
 *
 *   POST /mailboxes/{id}/deliver                  → 201 {folder, uid, messageId}; JSON, message/rfc822 or a form
 *   GET  /mailboxes/{id}/folders/{folder}         → {messages: [{uid, messageId, from, to, subject, …}]}
 *   GET  /mailboxes/{id}/folders/{folder}/{uid}   → the raw bytes
 *   GET  /outside                                 → {messages: [{id, recipient, messageId, …}]}
 *   GET  /outside/{id}                            → the raw bytes
 *   POST /outside/{id}/reply                      → 201 as deliver, or {recipient: outside} if the sender is no persona
 *
 * A mailbox's id is its persona's, or that of a shared one. `/personas/{id}/…` does the same for personas.
 */
import * as v from 'valibot'
import type { Directory } from './directory.ts'
import { type Exchange, mediaType, RequestError, readBody, redirect, sendJson } from './http-exchange.ts'
import { answerTo, composeMail, type MailSummary, readMail } from './mail.ts'
import { type FolderName, folderNames, type StoredMail } from './mailbox.ts'
import { type MailboxHolder, primaryAddressOf } from './personas.ts'
import type { PostOffice } from './post-office.ts'
import { parseInput, parseJson } from './request-input.ts'

const limitBytes = 60 * 1024 * 1024
const header = v.pipe(v.string(), v.regex(/^[^\r\n]*$/, 'must be one line'))
const messageId = v.pipe(header, v.regex(/^<[^<>\s]+>$/, 'must be a Message-ID in angle brackets'))
const deliverySchema = v.strictObject({
  from: v.strictObject({ address: v.pipe(v.string(), v.rfcEmail()), name: v.optional(header) }),
  subject: header,
  text: v.string(),
  html: v.optional(v.string()),
  inReplyTo: v.optional(messageId),
  references: v.optional(v.array(messageId)),
  messageId: v.optional(messageId),
})
const replySchema = v.strictObject({ text: v.pipe(v.string(), v.minLength(1, 'must not be empty')) })

/** What the interface works on. */
export interface MailApi {
  directory: Directory
  postOffice: PostOffice
  now(): number
}

/** Answers a request; false if there is nothing at its path. */
export async function answerMailApi(exchange: Exchange, api: MailApi): Promise<boolean> {
  const { request, response, url } = exchange
  const [root, id, ...rest] = url.pathname.slice(1).split('/')
  const first = root === 'personas' ? 'mailboxes' : root
  const mailboxesThere = api.directory
    .mailboxes()
    .filter(({ kind }) => root === 'mailboxes' || kind === 'person')
  const holderOf = () => found(mailboxesThere, id)
  const route = `${request.method} /${[first, id === undefined ? null : '*', ...rest.slice(0, 1)].filter(part => part !== null).join('/')}`
  const { postOffice } = api
  if (route === 'POST /mailboxes/*/deliver' && rest.length === 1) {
    await deliver(exchange, { api, holder: holderOf() })
  } else if (route === 'GET /mailboxes/*/folders' && rest.length === 2) {
    const mails = postOffice.mailboxOf(holderOf()).messages(folderOf(rest[1]))
    const messages = await Promise.all(
      mails.map(async mail => ({ uid: mail.uid, ...(await readMail(mail.raw)) })),
    )
    sendJson(response, { status: 200, body: { messages } })
  } else if (route === 'GET /mailboxes/*/folders' && rest.length === 3) {
    sendRaw(exchange, mailOf(postOffice.mailboxOf(holderOf()).messages(folderOf(rest[1])), rest[2]))
  } else if (route === 'GET /outside') {
    const mails = postOffice.outside.messages('INBOX')
    const messages = await Promise.all(
      mails.map(async ({ uid, recipient, raw }) => ({
        id: String(uid),
        recipient,
        ...(await readMail(raw)),
      })),
    )
    sendJson(response, { status: 200, body: { messages } })
  } else if (route === 'GET /outside/*') {
    sendRaw(exchange, mailOf(postOffice.outside.messages('INBOX'), id))
  } else if (route === 'POST /outside/*/reply' && rest.length === 1) {
    await reply(exchange, { api, mail: mailOf(postOffice.outside.messages('INBOX'), id) })
  } else return false
  return true
}

async function deliver(
  exchange: Exchange,
  { api, holder }: { api: MailApi; holder: MailboxHolder },
): Promise<void> {
  const { request, response } = exchange
  const body = await readBody(request, limitBytes)
  const type = mediaType(request)
  const recipient = primaryAddressOf(holder)
  let raw = body
  if (type === 'message/rfc822') {
    if (body.length === 0) throw new RequestError('The body must be a mail', { status: 400, field: 'body' })
  } else {
    const delivery = parseInput(
      deliverySchema,
      type === 'application/json' ? parseJson(body) : await formDelivery(body, { api, holder }),
    )
    const { inReplyTo, references = inReplyTo === undefined ? undefined : [inReplyTo] } = delivery
    raw = await composeMail({
      ...delivery,
      references,
      to: { address: recipient, name: holder.name },
      date: new Date(api.now()),
    })
  }
  const uid = api.postOffice.deliver(recipient, raw)
  if (type === 'application/x-www-form-urlencoded') return redirect(response, `/#${holder.id}`)
  sendJson(response, {
    status: 201,
    body: { folder: 'INBOX', uid, messageId: (await readMail(raw)).messageId },
  })
}

/** The form has one field for the writer's address, and may answer a mail that the mailbox sent. */
async function formDelivery(
  body: Buffer,
  { api, holder }: { api: MailApi; holder: MailboxHolder },
): Promise<object> {
  const form = new URLSearchParams(body.toString('utf8'))
  const answered = form.get('inReplyTo') ?? ''
  const sent = await Promise.all(
    api.postOffice
      .mailboxOf(holder)
      .messages('Sent')
      .map(({ raw }) => readMail(raw)),
  )
  const original = sent.find(mail => answered !== '' && mail.messageId === answered)
  const thread = original ? answerTo(original) : undefined
  return {
    from: { address: form.get('from') ?? '' },
    subject: form.get('subject') || thread?.subject || '',
    text: form.get('text') ?? '',
    inReplyTo: thread?.inReplyTo,
    references: thread?.references,
  }
}

/** The customer answers: from the address that was written to, to the From of the mail, in its thread. */
async function reply(exchange: Exchange, { api, mail }: { api: MailApi; mail: StoredMail }): Promise<void> {
  const { request, response } = exchange
  const body = await readBody(request, limitBytes)
  const isForm = mediaType(request) === 'application/x-www-form-urlencoded'
  const { text } = parseInput(
    replySchema,
    isForm ? { text: new URLSearchParams(body.toString('utf8')).get('text') ?? '' } : parseJson(body),
  )
  const original: MailSummary = await readMail(mail.raw)
  const to = original.from[0]
  if (!to || mail.recipient === null)
    throw new RequestError('The mail has no From to answer to', { status: 409 })
  const raw = await composeMail({
    ...answerTo(original),
    from: { address: mail.recipient },
    to,
    text,
    date: new Date(api.now()),
  })
  const uid = api.postOffice.deliver(to.address, raw)
  if (isForm) return redirect(response, '/#outside')
  sendJson(response, {
    status: 201,
    body: { folder: 'INBOX', uid, messageId: (await readMail(raw)).messageId },
  })
}

function found(holders: MailboxHolder[], id: string | undefined): MailboxHolder {
  const holder = holders.find(candidate => candidate.id === id)
  if (!holder) throw new RequestError('There is no such mailbox', { status: 404, field: 'id' })
  return holder
}

function folderOf(name: string | undefined): FolderName {
  const folder = folderNames.find(candidate => candidate === name)
  if (!folder)
    throw new RequestError(`The folders are ${folderNames.join(' and ')}`, { status: 404, field: 'folder' })
  return folder
}

function mailOf(mails: StoredMail[], uid: string | undefined): StoredMail {
  const mail = mails.find(candidate => String(candidate.uid) === uid)
  if (!mail) throw new RequestError('There is no such mail', { status: 404, field: 'uid' })
  return mail
}

/** As an attachment, so that no browser shows a stranger's HTML under this origin. */
function sendRaw({ response }: Exchange, { raw }: StoredMail): void {
  response.writeHead(200, {
    'content-type': 'message/rfc822',
    'content-disposition': 'attachment',
    'x-content-type-options': 'nosniff',
    'content-length': raw.length,
  })
  response.end(raw)
}
