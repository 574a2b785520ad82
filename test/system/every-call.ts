/** One run that makes the functions use all they may do: the main job, and what is rare, brought about on purpose. */

import { createServer } from 'node:http'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { KMSClient } from '@aws-sdk/client-kms'
import { openSeal } from '../../functions/channel/seal.ts'
import { openTable } from '../../functions/channel/table.ts'
import type { Json } from '../../infra/local/as-app.ts'
import { newPerson } from '../../infra/local/as-person.ts'
import { listenOnLoopback } from '../../infra/local/loopback.ts'
import { signIn } from '../sandbox/running-sandbox.ts'
import {
  asCaller,
  changeChannel,
  changeItem,
  deleteRaw,
  endToken,
  makeDue,
  type Places,
  past,
  placesOf,
  queueMessage,
} from '../support/behind-the-api.ts'
import { quiet } from '../support/quiet.ts'
import type { RunningSystem } from '../support/running-system.ts'

const customer = { address: 'customer@outside.example', name: 'Casey' }

/** What a step starts from: a mailbox that has received and answered a mail. */
interface Given {
  accountId: string
  channel: Json
  places: Places
}

type Step = (running: RunningSystem, given: Given) => Promise<void>

/** What is done with that mailbox, in this order; none needs another. The last one disconnects it. */
const steps = {
  appReadsEverything,
  tokensThatEnded,
  mailThatIsGone,
  bounceAndReparse,
  queueDocuments,
  uploads,
  schedulesRareWork,
  webhookThatRecovers,
  ownerIsWrittenTo,
  mailboxIsTakenOver,
  pollsOfEachProvider,
  firstSealOfTheDay,
  endOfGrants,
} satisfies Record<string, Step>

export async function makeEveryCall(running: RunningSystem): Promise<void> {
  const given = await mainJob(running, 'every-call')
  for (const step of Object.values(steps)) await step(running, given)
  // The last polls may still be under way.
  await quiet(running.system)
}

/** Connect, receive, answer. */
async function mainJob(running: RunningSystem, accountId: string): Promise<Given> {
  const { app } = running
  const places = placesOf(running)
  const channel = await running.connect('ada', { accountId })
  await running.sandbox('/personas/ada/deliver', { from: customer, subject: 'Question', text: 'Why?' })
  await app.call('POST', `/v1/channels/${channel.id}/poll`)
  const { data } = await app.event(accountId, event => event.data.message?.subject === 'Question')
  const reply = await app.send(
    channel.id,
    { to: [customer], subject: 'Re: Question', text: 'So.', inReplyTo: data.message.id },
    'reply',
  )
  await app.event(accountId, e => e.type === 'message.sent' && e.data.message.id === reply.body.id)
  return { accountId, channel, places }
}

async function appReadsEverything(
  { app, system }: RunningSystem,
  { accountId, channel }: Given,
): Promise<void> {
  await app.call('GET', `/v1/channels?accountId=${accountId}`)
  // A fresh environment holds no data key yet.
  await system.cloud.kill('Connect')
  await app.call('POST', `/v1/channels/${channel.id}/probe`)
  for (const direction of ['inbound', 'outbound']) {
    const { body } = await app.call('GET', `/v1/channels/${channel.id}/messages?direction=${direction}`)
    await app.call('GET', `/v1/messages/${body.messages[0].id}/raw`)
  }
}

/** An hour later whoever needs the mailbox first gets a new token: once `send`, once `fetch`. */
async function tokensThatEnded(
  { app, system }: RunningSystem,
  { accountId, channel, places }: Given,
): Promise<void> {
  await quiet(system)
  await endToken(places, channel.id)
  const { body } = await app.send(
    channel.id,
    { to: [customer], subject: 'Later', text: 'x' },
    'an-hour-later',
  )
  await app.event(accountId, e => e.type === 'message.sent' && e.data.message.id === body.id)
  await quiet(system)
  await endToken(places, channel.id)
  await app.call('POST', `/v1/channels/${channel.id}/poll`)
  await quiet(system)
}

/** Bytes that somebody deleted from the bucket: the app is told, and the message fails. */
async function mailThatIsGone(
  { app, system }: RunningSystem,
  { accountId, channel, places }: Given,
): Promise<void> {
  const sendAt = new Date(Date.now() + 3600_000).toISOString()
  const { body } = await app.send(channel.id, { to: [customer], subject: 'Gone', text: 'x', sendAt }, 'gone')
  await deleteRaw(places, body.id)
  await app.call('GET', `/v1/messages/${body.id}/raw`)
  // Its time comes, and no doorbell rings: `schedule` finds it. The one of its acceptance has to be over first.
  await quiet(system)
  await makeDue(places, channel.id, body.id)
  await system.cloud.invoke('Schedule', {})
  await app.event(accountId, e => e.type === 'message.failed' && e.data.message.id === body.id)
}

/** A report about a mail that was sent; and a mail that is parsed once more, as long as its bytes are there. */
async function bounceAndReparse(
  { app, system }: RunningSystem,
  { accountId, channel, places }: Given,
): Promise<void> {
  const address = 'nobody@outside.example'
  const { body } = await app.send(channel.id, { to: [{ address }], subject: 'Bounces', text: 'x' }, 'bounces')
  await app.event(accountId, e => e.type === 'message.sent' && e.data.message.id === body.id)
  const report = await fetch(`${system.sandbox?.origin}/personas/ada/deliver`, {
    method: 'POST',
    headers: { 'content-type': 'message/rfc822' },
    body: bounceOf(body.messageId, address),
  })
  if (!report.ok) throw new Error(`Not delivered: ${await report.text()}`)
  await app.call('POST', `/v1/channels/${channel.id}/poll`)
  const received = await app.event(accountId, e => e.data.message?.subject === 'Undelivered Mail')
  await app.event(accountId, e => e.type === 'message.bounced')

  const { id } = received.data.message
  await app.call('POST', `/v1/messages/${id}/reparse`)
  await quiet(system)
  await deleteRaw(places, id)
  await app.call('POST', `/v1/messages/${id}/reparse`)
  await quiet(system)
}

/** RFC 3464, as short as it can be. */
function bounceOf(messageId: string, recipient: string): string {
  return [
    'From: MAILER-DAEMON@outside.example',
    'To: ada@contoso.example',
    'Subject: Undelivered Mail',
    `Message-ID: <${Date.now()}@outside.example>`,
    'MIME-Version: 1.0',
    'Content-Type: multipart/report; report-type=delivery-status; boundary=b',
    '',
    '--b',
    'Content-Type: text/plain',
    '',
    'There is no such mailbox.',
    '--b',
    'Content-Type: message/delivery-status',
    '',
    'Reporting-MTA: dns; mx.outside.example',
    '',
    `Final-Recipient: rfc822; ${recipient}`,
    'Action: failed',
    'Status: 5.1.1',
    '--b',
    'Content-Type: text/rfc822-headers',
    '',
    `Message-ID: ${messageId}`,
    '--b--',
    '',
  ].join('\r\n')
}

/** From an app that prefers SQS to HTTP: one that is accepted, one that never can be. */
async function queueDocuments({ app }: RunningSystem, { accountId, channel, places }: Given): Promise<void> {
  const put = (idempotencyKey: string, address: string) =>
    queueMessage(places, {
      channelId: channel.id,
      idempotencyKey,
      to: [{ address }],
      subject: 'By queue',
      text: 'x',
      inReplyTo: '<unknown@outside.example>',
    })
  await put('good', customer.address)
  await app.event(accountId, e => e.type === 'message.sent' && e.data.message.subject === 'By queue')
  await put('bad', 'no address')
  await app.event(accountId, e => e.type === 'message.rejected')
}

/** One file, uploaded once, that a message by HTTP and one by SQS carry. */
async function uploads({ app }: RunningSystem, { accountId, channel, places }: Given): Promise<void> {
  const file = Buffer.alloc(7_000_000, 'a larger file than the API takes. ')
  const asked = { channelId: channel.id, contentType: 'text/plain', size: file.length }
  const { body: upload } = await app.call('POST', '/v1/uploads', asked)
  const { status } = await fetch(upload.url, { method: upload.method, headers: upload.headers, body: file })
  if (status !== 200) throw new Error(`Not uploaded: ${status}`)
  const attachments = [{ filename: 'a.txt', contentType: 'text/plain', uploadId: upload.uploadId }]
  const document = { to: [customer], subject: 'Uploaded', text: 'x', attachments }
  await app.send(channel.id, document, 'uploaded')
  await queueMessage(places, { ...document, channelId: channel.id, idempotencyKey: 'uploaded-by-queue' })
  const sent = new Set<string>()
  await app.event(accountId, e => {
    if (e.type === 'message.sent' && e.data.message.subject === 'Uploaded') sent.add(e.data.message.id)
    return sent.size === 2
  })
}

/** What `schedule` finds only after a crash, and a mailbox whose turn to be looked at again has come. */
async function schedulesRareWork(
  running: RunningSystem,
  { accountId, channel, places }: Given,
): Promise<void> {
  const { app, system } = running
  await changeChannel(places, channel.id, {
    unannounced: [{ type: 'channel.recovered', at: past }],
    duePk: 'DUE#CHANNELS',
    dueSk: `${past}#${channel.id}`,
    nextProbeAt: past,
  })
  // A crash between the row and the event: the mail is read again, and told from what is stored.
  const cursor = { pk: `CHANNEL#${channel.id}`, sk: 'CURSOR#INBOX' }
  await changeItem(places, places.mainTable, cursor, { lastUid: 0, recent: [], auditAt: past })
  const session = await app.call('POST', '/v1/connect-sessions', { accountId, provider: 'microsoft' })
  await newPerson().connect(session.body.connectUrl, 'grace')
  await changeItem(
    places,
    places.mainTable,
    { pk: `SESSION#${session.body.id}`, sk: 'SESSION' },
    {
      dueSk: `${past}#${session.body.id}`,
      expiresAtMs: Date.parse(past),
    },
  )
  await system.cloud.invoke('Schedule', {})
  await app.event(accountId, e => e.type === 'channel.recovered')
  // Looks whether the mailbox works again, and reads it.
  const asked = await app.call('POST', `/v1/channels/${channel.id}/poll`)
  if (asked.status !== 202) throw new Error(`Not polled: ${JSON.stringify(asked)}`)
  await quiet(system)
}

/** A receiver that is down until that is told; after its rest `schedule` rings for it. Then the webhook goes. */
async function webhookThatRecovers(
  { app, system }: RunningSystem,
  { accountId, channel, places }: Given,
): Promise<void> {
  let status = 500
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(status).end())
  })
  const port = await listenOnLoopback(server, 0)
  try {
    const url = `http://127.0.0.1:${port}/hook`
    const { body: webhook } = await app.call('POST', '/v1/webhooks', { accountId, url })
    for (const number of [1, 2, 3]) {
      await app.send(channel.id, { to: [customer], subject: `Told ${number}`, text: 'x' }, `told-${number}`)
    }
    await app.event(accountId, e => e.type === 'webhook.failing' && e.data.webhook.id === webhook.id)
    status = 204
    await changeItem(
      places,
      places.mainTable,
      { pk: `WEBHOOK#${webhook.id}`, sk: 'WEBHOOK' },
      { restsUntil: past, wakeAt: past, duePk: 'DUE#WEBHOOKS', dueSk: `${past}#${webhook.id}` },
    )
    await system.cloud.invoke('Schedule', {})
    // What failed before waits for its own time; a new event goes at once.
    await app.send(channel.id, { to: [customer], subject: 'Told 4', text: 'x' }, 'told-4')
    const recovered = await app.event(
      accountId,
      e => e.type === 'webhook.recovered' && e.data.webhook.id === webhook.id,
    )
    await app.call('POST', `/v1/webhooks/${webhook.id}/test`)
    await app.call('POST', `/v1/webhooks/${webhook.id}/redeliver`, { eventId: recovered.id })
    await app.call('DELETE', `/v1/webhooks/${webhook.id}`)
  } finally {
    server.close()
    server.closeAllConnections()
  }
}

/** A mailbox that only sends finds its grant dead: its owner gets a mail from the other one. */
async function ownerIsWrittenTo(
  running: RunningSystem,
  { accountId, channel, places }: Given,
): Promise<void> {
  const { app } = running
  const broken = await running.connect('grace', { accountId })
  await app.call('PATCH', `/v1/channels/${broken.id}`, { ownerNotice: { from: channel.id } })
  await changeChannel(places, broken.id, {
    access: { imap: { state: 'blocked', fault: null }, smtp: { state: 'ok', fault: null } },
  })
  // The first poll, which began with the connection, would notice before `send` does.
  await quiet(running.system)
  await running.sandbox('/personas/grace/script', { script: 'grant_revoked' })
  await endToken(places, broken.id)
  await app.send(broken.id, { to: [customer], subject: 'Waits', text: 'x' }, 'waits')
  await app.event(accountId, e => e.type === 'channel.reconnect_required' && e.channelId === broken.id)
  await app.event(
    accountId,
    e => e.type === 'message.sent' && e.data.message.subject.startsWith('Please reconnect the mailbox'),
  )
  await running.sandbox('/personas/grace/script', { script: null })
}

/** A mailbox that another system had connected, with the same OAuth app: taken over by its refresh token. */
async function mailboxIsTakenOver({ app, system }: RunningSystem, { accountId }: Given): Promise<void> {
  const { sandbox, url } = system
  if (!sandbox) throw new Error('There is no sandbox')
  const redirect_uri = `${url}/oauth/microsoft/callback`
  const { tokens } = await signIn(sandbox, { persona: 'margaret', parameters: { redirect_uri } })
  const email = 'margaret@fabrikam.example'
  const request = { accountId, provider: 'microsoft', email, refreshToken: tokens.refresh_token }
  const { body } = await app.call('POST', '/v1/channels/import', request)
  if (body.state !== 'imported') throw new Error(`Not imported: ${JSON.stringify(body)}`)
}

/** Each provider has a queue of its own: polls go there when somebody connects, asks, or their minute comes. */
async function pollsOfEachProvider(running: RunningSystem, { accountId, places }: Given): Promise<void> {
  const session = { autoConfirm: true }
  const { id } = await running.connect('linus', { accountId, provider: 'google', session })
  await running.app.call('POST', `/v1/channels/${id}/poll`)
  // As if this minute had not been dispatched yet.
  await changeItem(
    places,
    places.mainTable,
    { pk: 'SCHEDULE', sk: 'LAST_MINUTE' },
    { minute: Math.floor(Date.now() / 60_000) - 1 },
  )
  await running.system.cloud.invoke('Schedule', {})
}

/** The first token that a function seals on a new day makes the day's key: the same code, with the function's name. */
async function firstSealOfTheDay({ system }: RunningSystem, { accountId, places }: Given): Promise<void> {
  const opening = system.cloud.policies.filter(({ name }) => ['Connect', 'Send', 'Fetch'].includes(name))
  for (const [days, { functionName }] of opening.entries()) {
    const caller = asCaller(functionName)
    const seal = openSeal({
      kms: new KMSClient({ ...caller, endpoint: places.endpoints.kms }),
      keyArn: places.tokenKeyArn,
      secrets: openTable(
        new DynamoDBClient({ ...caller, endpoint: places.endpoints.dynamodb }),
        places.secretsTable,
      ),
      now: () => Date.now() + (days + 1) * 24 * 3600_000,
    })
    await seal.seal('a token', { accountId, ownerId: 'nobody', field: 'refreshToken' })
  }
}

/** A reconnect replaces the grant, which fetch forgets; a disconnect ends it. */
async function endOfGrants(running: RunningSystem, { accountId, channel }: Given): Promise<void> {
  await running.connect('ada', { accountId, session: { channelId: channel.id, autoConfirm: true } })
  await running.app.call('DELETE', `/v1/channels/${channel.id}`)
  await running.app.event(accountId, e => e.type === 'channel.disconnected')
}
