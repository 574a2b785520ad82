/** `npm run tour`: the main job from end to end, over public interfaces only, on a fresh copy of the system. */

import { type ChildProcess, fork } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { type App, type Json, openApp } from './as-app.ts'
import { newPerson } from './as-person.ts'
import { freePort } from './free-port.ts'
import { readyUrl } from './ready-url.ts'

const apiKey = 'tour-key-of-this-run-only'
const customer = { address: 'customer@outside.example', name: 'Casey Customer' }
/** The schedule fires every minute; a mail may wait for the next one. */
const scheduledPollMs = 90_000

interface Running {
  child: ChildProcess
  app: App
  sandbox: string
  queueUrl: string
  sqsEndpoint: string
}

let step = 0
/** Prints what was done and what was seen; what was not seen ends the tour. */
function saw(what: string, observed: string): void {
  step += 1
  console.log(`${String(step).padStart(2)}. ${what}\n    → ${observed}`)
}

function expect(holds: unknown, otherwise: string): asserts holds {
  if (!holds) throw new Error(otherwise)
}

async function startPostroom(folder: string, port: number): Promise<Running> {
  const child = fork(fileURLToPath(new URL('start.ts', import.meta.url)), {
    env: { ...process.env, PORT: String(port), POSTROOM_DATA: folder, POSTROOM_API_KEY: apiKey },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  children.add(child)
  const url = await readyUrl(child)
  const outputs = JSON.parse(await readFile(join(folder, 'outputs.json'), 'utf8'))
  return {
    child,
    app: openApp({ url, apiKey }),
    sandbox: outputs.SandboxUrl,
    queueUrl: outputs.OutboundQueueUrl,
    sqsEndpoint: outputs.endpoints.aws,
  }
}

const children = new Set<ChildProcess>()

async function stopPostroom({ child }: Running): Promise<void> {
  const exited = new Promise(resolve => child.once('exit', resolve))
  child.kill('SIGTERM')
  await exited
  children.delete(child)
}

async function connect(
  running: Running,
  { accountId, provider, persona }: { accountId: string; provider: string; persona: string },
) {
  const { app } = running
  const created = await app.call('POST', '/v1/connect-sessions', { accountId, provider })
  expect(created.status === 201, `No connect session: ${JSON.stringify(created)}`)
  const landing = await newPerson().connect(created.body.connectUrl, persona)
  expect(landing.status === 200, `The sign-in of ${persona} ended with ${landing.status}: ${landing.text}`)
  const { body: waiting } = await app.call('GET', `/v1/connect-sessions/${created.body.id}`)
  expect(waiting.state === 'awaiting_confirmation', `The session is ${waiting.state}`)
  const confirmed = await app.call('POST', `/v1/connect-sessions/${created.body.id}/confirm`)
  expect(confirmed.status === 200, `Not confirmed: ${JSON.stringify(confirmed)}`)
  const { channel } = confirmed.body
  expect(channel.auth.state === 'connected', `The channel is ${channel.auth.state}`)
  return channel
}

async function sandboxCall(running: Running, path: string, body?: object): Promise<Json> {
  const response = await fetch(`${running.sandbox}${path}`, {
    method: body ? 'POST' : 'GET',
    headers: { accept: 'application/json', ...(body && { 'content-type': 'application/json' }) },
    body: body && JSON.stringify(body),
  })
  expect(response.ok, `The sandbox answered ${response.status} to ${path}`)
  return response.json()
}

async function isSent(running: Running, accountId: string, id: string): Promise<Json> {
  const event = await running.app.event(
    accountId,
    e => e.type.startsWith('message.') && e.data.message?.id === id,
  )
  expect(event.type === 'message.sent', `${event.type}: ${JSON.stringify(event.data.message?.fault)}`)
  return event.data.message
}

/** What the customer got, found by its subject. */
async function atCustomer(running: Running, subject: string) {
  const { messages } = await sandboxCall(running, '/outside')
  const found = messages.find((mail: Json) => mail.subject === subject)
  expect(found, `The customer did not get "${subject}"`)
  return found
}

interface Job {
  accountId: string
  provider: string
  persona: string
  login: string
  email: string
  /** Whether the mail is left for the schedule to find, or asked for at once. */
  waitForSchedule: boolean
}

async function mainJob(running: Running, job: Job) {
  const { app } = running
  const { accountId, persona } = job
  const channel = await connect(running, job)
  expect(channel.login.smtp === job.login, `SMTP login is ${channel.login.smtp}`)
  expect(channel.email === job.email, `Address is ${channel.email}`)
  saw(
    `${persona} connects at ${job.provider}`,
    `login ${channel.login.smtp}, From ${channel.email}, ${channel.auth.state}`,
  )

  const subject = `Where is my order, ${persona}?`
  await sandboxCall(running, `/personas/${persona}/deliver`, {
    from: customer,
    subject,
    text: 'It should be here.',
  })
  if (!job.waitForSchedule) await app.call('POST', `/v1/channels/${channel.id}/poll`)
  const arrived = await app.event(
    accountId,
    e => e.type === 'message.received' && e.data.message.subject === subject,
    scheduledPollMs,
  )
  const question = arrived.data.message
  saw(
    `A customer writes to ${job.email}`,
    `message.received "${question.subject}" by ${job.waitForSchedule ? 'the schedule' : 'poll now'}`,
  )

  const reply = await app.send(
    channel.id,
    { to: [customer], subject: `Re: ${subject}`, text: 'It leaves today.', inReplyTo: question.id },
    `reply-${persona}`,
  )
  expect(reply.status === 202, `Not accepted: ${JSON.stringify(reply)}`)
  const sent = await isSent(running, accountId, reply.body.id)
  const received = await atCustomer(running, `Re: ${subject}`)
  expect(received.inReplyTo === question.messageId, `In-Reply-To is ${received.inReplyTo}`)
  const { messages: copies } = await sandboxCall(running, `/personas/${persona}/folders/Sent`)
  expect(
    copies.some((mail: Json) => mail.messageId === sent.messageId),
    'No copy in Sent',
  )
  saw(
    `The app replies as ${persona}`,
    `message.sent; the customer got it From ${received.from[0].address}, In-Reply-To the question; a copy lies in Sent`,
  )

  await sandboxCall(running, `/outside/${received.id}/reply`, { text: 'Thank you!' })
  await app.call('POST', `/v1/channels/${channel.id}/poll`)
  const answer = await app.event(
    accountId,
    e => e.type === 'message.received' && e.data.message.inReplyTo === sent.messageId,
  )
  expect(answer.data.message.threadId === question.threadId, 'The answer is in another thread')
  saw('The customer answers', `message.received in the same thread ${question.threadId}`)
  return channel
}

async function tour(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'postroom-tour-'))
  try {
    const port = await freePort()
    let running = await startPostroom(folder, port)
    saw('npm start', `ready at http://localhost:${port}, sandbox provider at ${running.sandbox}`)

    const grace = await mainJob(running, {
      accountId: 'acme',
      provider: 'microsoft',
      persona: 'grace',
      // The founding story: Exchange's SMTP takes only the sign-in name, the mail is From the mailbox's address.
      login: 'grace@tenant-a.example',
      email: 'Grace.Hopper@tenant-b.example',
      waitForSchedule: true,
    })
    await mainJob(running, {
      accountId: 'acme',
      provider: 'google',
      persona: 'linus',
      login: 'linus@gmail-sandbox.example',
      email: 'linus@gmail-sandbox.example',
      waitForSchedule: false,
    })

    await stopPostroom(running)
    running = await startPostroom(folder, port)
    const { body } = await running.app.call('GET', '/v1/channels?accountId=acme')
    expect(body.channels.length === 2, `${body.channels.length} channels after the restart`)
    saw('Stop and start again', `${body.channels.length} channels are still there`)

    const sqs = new SQSClient({
      endpoint: running.sqsEndpoint,
      region: 'us-east-1',
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
      useQueueUrlAsEndpoint: false,
    })
    const subject = 'Queued straight on SQS'
    const document = {
      channelId: grace.id,
      idempotencyKey: 'tour-queue-1',
      to: [customer],
      subject,
      text: 'Hello.',
    }
    await sqs.send(
      new SendMessageCommand({ QueueUrl: running.queueUrl, MessageBody: JSON.stringify(document) }),
    )
    const queued = await running.app.event(
      'acme',
      e => e.type === 'message.sent' && e.data.message.subject === subject,
    )
    const received = await atCustomer(running, subject)
    expect(received.messageId === queued.data.message.messageId, `Message-ID is ${received.messageId}`)
    saw(
      'A reply queued straight on SQS',
      `message.sent; the customer got it From ${received.from[0].address}`,
    )
    await stopPostroom(running)
    saw('SIGTERM', 'everything ended')
  } finally {
    for (const child of children) child.kill('SIGKILL')
    await sleep(100)
    await rm(folder, { recursive: true, force: true })
  }
}

const startedAt = Date.now()
try {
  await tour()
  console.log(`\nThe tour saw all ${step} steps in ${Math.round((Date.now() - startedAt) / 1000)} s.`)
} catch (error) {
  console.error(`\nThe tour stopped after step ${step}: ${error instanceof Error ? error.message : error}`)
  process.exitCode = 1
}
