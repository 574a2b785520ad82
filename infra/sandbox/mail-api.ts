/**
 * The sandbox's own HTTP interface: who is there, what lies in their folders, what reached the outside world, and
 * mail from customers. JSON for programs; the forms of the page at `/` post to the same addresses.
 *
 *   GET  /personas                                → {personas: [{id, provider, name, signInName, email, aliases}]}
 *   POST /personas/{id}/deliver                   → 201 {folder, uid, messageId}; JSON, message/rfc822 or a form
 *   GET  /personas/{id}/folders/{folder}          → {messages: [{uid, messageId, from, to, subject, …}]}
 *   GET  /personas/{id}/folders/{folder}/{uid}    → the raw bytes
 *   GET  /outside                                 → {messages: [{id, recipient, messageId, …}]}
 *   GET  /outside/{id}                            → the raw bytes
 *   POST /outside/{id}/reply                      → 201 as deliver, or {recipient: outside} if the sender is no persona
 */
import { z } from 'zod'
import { type Exchange, mediaType, RequestError, readBody, redirect, sendJson } from './http-exchange.ts'
import { answerTo, composeMail, type MailSummary, readMail } from './mail.ts'
import { type FolderName, folderNames, type StoredMail } from './mailbox.ts'
import { type Persona, personas } from './personas.ts'
import type { PostOffice } from './post-office.ts'

const limitBytes = 60 * 1024 * 1024
const header = z.string().regex(/^[^\r\n]*$/, 'must be one line')
const messageId = header.regex(/^<[^<>\s]+>$/, 'must be a Message-ID in angle brackets')
const deliverySchema = z.strictObject({
  from: z.strictObject({ address: z.email(), name: header.optional() }),
  subject: header,
  text: z.string(),
  html: z.string().optional(),
  inReplyTo: messageId.optional(),
  references: z.array(messageId).optional(),
  messageId: messageId.optional(),
})
const replySchema = z.strictObject({ text: z.string().min(1, 'must not be empty') })

/** What the interface works on. */
export interface MailApi {
  postOffice: PostOffice
  now(): number
}

/** Answers a request; false if there is nothing at its path. */
export async function answerMailApi(exchange: Exchange, api: MailApi): Promise<boolean> {
  const { request, response, url } = exchange
  const [first, id, ...rest] = url.pathname.slice(1).split('/')
  const route = `${request.method} /${[first, id === undefined ? null : '*', ...rest.slice(0, 1)].filter(part => part !== null).join('/')}`
  const { postOffice } = api
  if (route === 'GET /personas') {
    sendJson(response, { status: 200, body: { personas: personas.map(describe) } })
  } else if (route === 'POST /personas/*/deliver' && rest.length === 1) {
    await deliver(exchange, { api, persona: personaOf(id) })
  } else if (route === 'GET /personas/*/folders' && rest.length === 2) {
    const mails = postOffice.mailboxOf(personaOf(id)).messages(folderOf(rest[1]))
    const messages = await Promise.all(
      mails.map(async mail => ({ uid: mail.uid, ...(await readMail(mail.raw)) })),
    )
    sendJson(response, { status: 200, body: { messages } })
  } else if (route === 'GET /personas/*/folders' && rest.length === 3) {
    sendRaw(exchange, mailOf(postOffice.mailboxOf(personaOf(id)).messages(folderOf(rest[1])), rest[2]))
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

/** What everybody may know about a persona. */
function describe({ id, provider, name, signInName, email, aliases }: Persona): object {
  return { id, provider, name, signInName, email, aliases }
}

async function deliver(
  exchange: Exchange,
  { api, persona }: { api: MailApi; persona: Persona },
): Promise<void> {
  const { request, response } = exchange
  const body = await readBody(request, limitBytes)
  const type = mediaType(request)
  const recipient = persona.email ?? persona.signInName
  let raw = body
  if (type === 'message/rfc822') {
    if (body.length === 0) throw new RequestError('The body must be a mail', { status: 400, field: 'body' })
  } else {
    const delivery = parse(
      deliverySchema,
      type === 'application/json' ? json(body) : await formDelivery(body, { api, persona }),
    )
    const { inReplyTo, references = inReplyTo === undefined ? undefined : [inReplyTo] } = delivery
    raw = await composeMail({
      ...delivery,
      references,
      to: { address: recipient, name: persona.name },
      date: new Date(api.now()),
    })
  }
  const uid = api.postOffice.deliver(recipient, raw)
  if (type === 'application/x-www-form-urlencoded') return redirect(response, `/#${persona.id}`)
  sendJson(response, {
    status: 201,
    body: { folder: 'INBOX', uid, messageId: (await readMail(raw)).messageId },
  })
}

/** The form has one field for the writer's address, and may answer a mail that the persona sent. */
async function formDelivery(
  body: Buffer,
  { api, persona }: { api: MailApi; persona: Persona },
): Promise<object> {
  const form = new URLSearchParams(body.toString('utf8'))
  const answered = form.get('inReplyTo') ?? ''
  const sent = await Promise.all(
    api.postOffice
      .mailboxOf(persona)
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
  const { text } = parse(
    replySchema,
    isForm ? { text: new URLSearchParams(body.toString('utf8')).get('text') ?? '' } : json(body),
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

function parse<T>(schema: z.ZodType<T>, input: unknown): T {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined
  const field = unknown ?? issue?.path.join('.') ?? 'body'
  throw new RequestError(`${field}: ${issue?.message ?? 'is wrong'}`, { status: 400, field })
}

function json(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    throw new RequestError('The body must be JSON', { status: 400, field: 'body' })
  }
}

function personaOf(id: string | undefined): Persona {
  const persona = personas.find(candidate => candidate.id === id)
  if (!persona) throw new RequestError('There is no such persona', { status: 404, field: 'id' })
  return persona
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
