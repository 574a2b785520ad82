/**
 * Records what a release stores, for the tests that upgrade from it:
 *
 *     git worktree add --detach ../release v0.1.0 && (cd ../release && npm ci)
 *     node --experimental-strip-types --experimental-sqlite test/upgrade/record.ts ../release test/upgrade/release-0.1.0.json
 *
 * It starts that release's `npm start` on a fresh folder, does over its API what apps and people do, and ends it by a kill
 * while doorbells, polls and deliveries are in hand. A recording never changes once its release is out.
 */

import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { SMTPServer } from 'smtp-server'
import { type Json, openApp } from '../../infra/local/as-app.ts'
import { newPerson } from '../../infra/local/as-person.ts'
import { listenOnLoopback } from '../../infra/local/loopback.ts'
import { localhostCertificate } from '../../infra/sandbox/certificate.ts'
import { asCaller } from '../support/behind-the-api.ts'
import { type Recording, recordFolder } from './recording.ts'
import { type ReleaseProcess, startRelease } from './release-process.ts'

const accountId = 'acme'
const apiKey = 'key-of-the-recorded-system'
const customer = { address: 'customer@outside.example', name: 'Casey' }
/** Not taken by anybody as a rule; whoever puts the recording back needs the same. */
const ports = {
  http: 27460,
  sandbox: { http: 27461, smtp: 27462, smtps: 27463, imap: 27464 },
  engines: { aws: 27465, dynamodb: 27466, kms: 27467 },
}
const receiverPort = 27468
const uncertainSmtpPort = 27469
const url = `http://localhost:${ports.http}`
const sandboxUrl = `http://localhost:${ports.sandbox.http}`

const app = openApp({ url, apiKey })

async function sandbox(path: string, body?: object, method = body ? 'POST' : 'GET'): Promise<Json> {
  const response = await fetch(`${sandboxUrl}${path}`, {
    method,
    headers: { accept: 'application/json', 'content-type': 'application/json' },
    body: body && JSON.stringify(body),
  })
  if (!response.ok)
    throw new Error(`The sandbox answered ${response.status} to ${path}: ${await response.text()}`)
  return response.json()
}

const follow = (persona: string, script: string | null) =>
  sandbox(`/personas/${persona}/script`, { script }, 'PUT')
const deliver = (persona: string, subject: string) =>
  sandbox(`/personas/${persona}/deliver`, { from: customer, subject, text: 'Why?' })

async function wanted(answer: Promise<{ status: number; body: Json }>): Promise<Json> {
  const { status, body } = await answer
  if (status >= 300) throw new Error(`Answered ${status}: ${JSON.stringify(body)}`)
  return body
}

async function connect(persona: string, provider = 'microsoft'): Promise<Json> {
  const created = await wanted(app.call('POST', '/v1/connect-sessions', { accountId, provider }))
  const landing = await newPerson().connect(created.connectUrl, persona)
  if (landing.status !== 200) throw new Error(`The sign-in ended with ${landing.status}: ${landing.text}`)
  return (await wanted(app.call('POST', `/v1/connect-sessions/${created.id}/confirm`))).channel
}

const send = (channel: Json, subject: string, more: object = {}) =>
  wanted(
    app.send(
      channel.id,
      { to: [customer], subject, text: `${subject}.`, ...more },
      subject.replaceAll(' ', '-'),
    ),
  )

const told = (type: string, subject?: string) =>
  app.event(
    accountId,
    event => event.type === type && (subject === undefined || event.data.message?.subject === subject),
    90_000,
  )

async function receive(channel: Json, persona: string, subject: string): Promise<Json> {
  await deliver(persona, subject)
  await wanted(app.call('POST', `/v1/channels/${channel.id}/poll`))
  return (await told('message.received', subject)).data.message
}

/** Answers as `behaviour` says, by path; notes the ids of events that were taken. */
function receiver() {
  const behaviour: Record<string, 'take' | 'fail' | 'hang'> = {}
  const taken: Record<string, string[]> = {}
  const server = createServer((request, response: ServerResponse) => {
    const path = request.url ?? ''
    const does = behaviour[path] ?? 'take'
    request.resume().on('end', () => {
      if (does === 'hang') return
      if (does === 'take') taken[path] = [...(taken[path] ?? []), String(request.headers['webhook-id'])]
      response.writeHead(does === 'take' ? 204 : 500).end()
    })
  })
  return { server, behaviour, taken }
}

/** A server that takes a mail whole and goes without a word: nobody knows what became of it. */
async function withUncertainSmtp<T>(folder: string, work: (providersFile: string) => Promise<T>): Promise<T> {
  const { key, cert } = await localhostCertificate(join(folder, 'sandbox'))
  const server = new SMTPServer({
    key,
    cert,
    authMethods: ['XOAUTH2'],
    onAuth: (_auth, _session, callback) => callback(null, { user: 'anybody' }),
    onData: stream =>
      stream.resume().on('end', () => {
        for (const connection of server.connections as Iterable<Json>) connection.close()
      }),
  })
  await new Promise<void>(resolve => server.listen(uncertainSmtpPort, '127.0.0.1', resolve))
  const file = join(folder, 'providers.json')
  await writeFile(file, JSON.stringify({ microsoft: microsoftWith(uncertainSmtpPort) }))
  try {
    return await work(file)
  } finally {
    await new Promise<void>(resolve => server.close(resolve))
  }
}

/** The sandbox's own entry, but for SMTP. */
function microsoftWith(smtpPort: number): object {
  const entra = `${sandboxUrl}/entra`
  return {
    issuer: `${entra}/{tid}/v2.0`,
    authorizationEndpoint: `${entra}/{tenant}/oauth2/v2.0/authorize`,
    tokenEndpoint: `${entra}/{tenant}/oauth2/v2.0/token`,
    jwksUri: `${entra}/{tenant}/discovery/v2.0/keys`,
    revocationEndpoint: null,
    adminConsentEndpoint: `${entra}/organizations/v2.0/adminconsent`,
    imap: { host: 'localhost', port: ports.sandbox.imap, security: 'tls' },
    smtp: { host: 'localhost', port: smtpPort, security: 'starttls' },
  }
}

/** What an app, or a function, puts on a queue; it stays there until long after the kill. */
async function enqueue(queueUrl: string, ...bodies: object[]): Promise<void> {
  const sqs = new SQSClient({
    ...asCaller(),
    endpoint: `http://127.0.0.1:${ports.engines.aws}`,
    useQueueUrlAsEndpoint: false,
  })
  for (const body of bodies)
    await sqs.send(
      new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: JSON.stringify(body), DelaySeconds: 300 }),
    )
}

async function allEvents(): Promise<Json[]> {
  const events: Json[] = []
  for (let after: string | null = null; ; ) {
    const query = new URLSearchParams({ accountId, limit: '100', ...(after && { after }) })
    const page = await wanted(app.call('GET', `/v1/events?${query}`))
    events.push(...page.events)
    if (page.events.length === 0 || !page.cursor || page.cursor === after) return events
    after = page.cursor
  }
}

type Mailboxes = Record<'ada' | 'alan' | 'grace' | 'margaret' | 'linus', Json>

/** All that ends well, and all that is told and over. */
async function dailyLife(hook: ReturnType<typeof receiver>) {
  const webhook = await wanted(
    app.call('POST', '/v1/webhooks', { accountId, url: `http://127.0.0.1:${receiverPort}/resting` }),
  )
  const hanging = await wanted(
    app.call('POST', '/v1/webhooks', { accountId, url: `http://127.0.0.1:${receiverPort}/cut-off` }),
  )
  const mailboxes: Mailboxes = {
    ada: await connect('ada'),
    alan: await connect('alan'),
    grace: await connect('grace'),
    margaret: await connect('margaret'),
    linus: await connect('linus', 'google'),
  }
  const { ada, grace, margaret, linus } = mailboxes
  await wanted(app.call('PATCH', `/v1/channels/${ada.id}`, { displayName: 'Ada of Acme' }))
  await wanted(app.call('PATCH', `/v1/channels/${grace.id}`, { ownerNotice: { from: ada.id, to: null } }))
  const question = await receive(ada, 'ada', 'Question')
  await receive(linus, 'linus', 'Anfrage')
  await send(ada, 'Answer', { inReplyTo: question.id })
  await send(linus, 'Antwort')
  for (const subject of ['Answer', 'Antwort']) await told('message.sent', subject)

  await follow('linus', 'mail_refused')
  await send(linus, 'Refused')
  await told('message.failed', 'Refused')
  await follow('linus', null)
  await follow('margaret', 'smtp_disabled_mailbox')
  await send(margaret, 'Parked')
  await told('message.parked', 'Parked')
  await follow('grace', 'grant_revoked')
  await wanted(app.call('POST', `/v1/channels/${grace.id}/poll`))
  const { data } = await told('channel.reconnect_required')
  hook.behaviour['/resting'] = 'fail'
  return { mailboxes, webhook, hanging, question, reconnectUrl: data.reconnectUrl ?? data }
}

/** What is in hand when the power goes. */
async function untilTheKill(
  {
    mailboxes: { ada, alan, grace, margaret, linus },
    webhook,
    question,
  }: Awaited<ReturnType<typeof dailyLife>>,
  hook: ReturnType<typeof receiver>,
) {
  const queues = await queueUrls()
  // A sign-in that the provider refuses for the app's own secret.
  const session = await wanted(app.call('POST', '/v1/connect-sessions', { accountId, provider: 'microsoft' }))
  await newPerson().connect(session.connectUrl, 'edsger', { script: 'client_secret_expired' })
  await told('app.fault')
  await send(ada, 'At noon', { sendAt: new Date(Date.now() + 240_000).toISOString() })
  const open = await wanted(app.call('POST', '/v1/connect-sessions', { accountId, provider: 'microsoft' }))
  await enqueue(queues.outbound, {
    channelId: linus.id,
    idempotencyKey: 'By-queue',
    to: [customer],
    subject: 'By queue',
    text: 'By queue.',
  })
  await enqueue(queues.outbound, {
    channelId: ada.id,
    ownerNotice: { channelId: grace.id, since: (await channelOf(grace)).auth.since, reminder: 0 },
  })
  await enqueue(
    queues.poll,
    { channelIds: [ada.id, margaret.id], intervals: [1, 1] },
    { channelIds: [ada.id], isRequested: true },
    { reparse: { messageId: question.id } },
    { keepAlive: [alan.id] },
    { checkApps: true },
  )
  await enqueue(queues.notify, { webhookId: webhook.id })

  const before = {
    channels: (await wanted(app.call('GET', `/v1/channels?accountId=${accountId}`))).channels,
    webhooks: (await wanted(app.call('GET', `/v1/webhooks?accountId=${accountId}`))).webhooks,
    events: await allEvents(),
    messages: await allMessages([ada, alan, grace, margaret, linus]),
    outside: (await sandbox('/outside')).messages.map(({ subject }: Json) => subject),
  }

  hook.behaviour['/cut-off'] = 'hang'
  await receive(ada, 'ada', 'Told to nobody')
  await follow('linus', 'smtp_hangs')
  await send(linus, 'Cut off')
  await deliver('ada', 'While nobody looked')
  await follow('alan', 'imap_hangs')
  await wanted(app.call('POST', `/v1/channels/${alan.id}/poll`))
  await deliver('alan', 'Never read')
  // Until they hang.
  await sleep(4_000)
  return { ...before, openSession: { id: open.id, connectUrl: open.connectUrl } }
}

const channelOf = (channel: Json) => wanted(app.call('GET', `/v1/channels/${channel.id}`))

async function allMessages(channels: Json[]): Promise<Json[]> {
  const messages: Json[] = []
  for (const { id } of channels) {
    for (const direction of ['inbound', 'outbound']) {
      const page = await wanted(app.call('GET', `/v1/channels/${id}/messages?direction=${direction}`))
      for (const message of page.messages)
        messages.push(await wanted(app.call('GET', `/v1/messages/${message.id}`)))
    }
  }
  return messages
}

/** They have no other names than those that CloudFormation would make. */
async function queueUrls() {
  const response = await fetch(`http://127.0.0.1:${ports.engines.aws}/`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'AmazonSQS.ListQueues' },
    body: '{}',
  })
  const { QueueUrls }: { QueueUrls: string[] } = (await response.json()) as Json
  const named = (name: string) =>
    QueueUrls.find(one => one.includes(name) && !one.includes('DeadLetters')) ?? ''
  return {
    outbound: named('Outbound'),
    poll: QueueUrls.find(one => /Poll[0-9A-F]{8}/.test(one)) ?? '',
    notify: named('Notify'),
  }
}

async function record(checkout: string, folder: string): Promise<Recording> {
  const hook = receiver()
  await listenOnLoopback(hook.server as Server, receiverPort)
  await writeFile(join(folder, 'ports.json'), JSON.stringify(ports))
  const environment = { POSTROOM_DATA: folder, POSTROOM_API_KEY: apiKey }
  const during = async <T>(
    more: object,
    work: () => Promise<T>,
    end: keyof ReleaseProcess = 'stop',
  ): Promise<T> => {
    const release = await startRelease(checkout, { ...environment, ...more })
    try {
      return await work()
    } finally {
      await release[end]()
    }
  }

  console.error('Daily life …')
  const life = await during({}, () => dailyLife(hook))
  console.error('A mail of which nobody knows what became of it …')
  await withUncertainSmtp(folder, POSTROOM_PROVIDERS =>
    during({ POSTROOM_PROVIDERS }, async () => {
      await send(life.mailboxes.ada, 'Perhaps')
      await told('message.uncertain', 'Perhaps')
    }),
  )
  console.error('Until the kill …')
  const shown = await during({}, () => untilTheKill(life, hook), 'kill')
  hook.server.close()
  hook.server.closeAllConnections()
  const commit = execFileSync('git', ['log', '-1', '--format=%h of %cI'], { cwd: checkout, encoding: 'utf8' })
  return {
    about: `Made by test/upgrade/record.ts from commit ${commit.trim()}`,
    recordedAt: new Date().toISOString(),
    told: {
      accountId,
      receiverPort,
      ...shown,
      secrets: { [life.webhook.id]: life.webhook.secret, [life.hanging.id]: life.hanging.secret },
      taken: hook.taken,
      reconnectUrl: life.reconnectUrl,
    },
    ...(await recordFolder(folder)),
  }
}

/** One line for each item, file and row: small, and yet a file in which a person finds something. */
function linesOf(value: unknown, depth = 4): string {
  if (depth === 0 || typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[\n${value.map(entry => linesOf(entry, depth - 1)).join(',\n')}\n]`
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined)
  return `{\n${entries.map(([name, entry]) => `${JSON.stringify(name)}: ${linesOf(entry, depth - 1)}`).join(',\n')}\n}`
}

const [checkout, output] = process.argv.slice(2)
if (!checkout || !output) throw new Error('Usage: record.ts CHECKOUT OUTPUT')
const folder = await mkdtemp(join(tmpdir(), 'postroom-record-'))
try {
  await writeFile(output, `${linesOf(await record(checkout, folder))}\n`)
} finally {
  if (process.env.POSTROOM_KEEP) console.error(folder)
  else await rm(folder, { recursive: true, force: true })
}
process.exit(0)
