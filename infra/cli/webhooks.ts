/** `webhooks …`: URLs of apps to which events are posted: set up, looked at, tried, told again. */

import * as v from 'valibot'
import { integer } from '../../functions/channel/single-values.ts'
import { command, exitCodes, UsageError } from './command.ts'

const webhookSchema = v.looseObject({
  id: v.string(),
  accountId: v.nullable(v.string()),
  url: v.string(),
  types: v.nullable(v.array(v.string())),
  state: v.string(),
  failures: integer,
  lastFailure: v.nullable(v.object({ at: v.string(), evidence: v.string() })),
})
const withSecretSchema = v.object({ ...webhookSchema.entries, secret: v.string() })
const pageSchema = v.object({ webhooks: v.array(webhookSchema), cursor: v.nullable(v.string()) })

const webhookPath = (id: string) => `/v1/webhooks/${encodeURIComponent(id)}`

const account = {
  type: 'string',
  value: 'ID',
  says: 'whose events; without it those of every account',
} as const
const type = { type: 'string', value: 'TYPE', says: 'only events of this type', multiple: true } as const

const add = command({
  name: 'webhooks add',
  words: ['URL'],
  says: 'has events posted to a URL, and shows the secret that signs them, once',
  options: { account, type },
  async run({ api, terminal, words, options }) {
    const types = options.type.length > 0 ? options.type : null
    const webhook = await api.call(withSecretSchema, 'POST', '/v1/webhooks', {
      body: { accountId: options.account, url: words.URL, types },
    })
    if (terminal.json) terminal.document(webhook)
    else {
      terminal.line(webhook.id)
      terminal.line(`Secret, shown this once: ${webhook.secret}`)
    }
    return exitCodes.done
  },
})

const list = command({
  name: 'webhooks list',
  words: [],
  says: 'the webhooks, and how they fare',
  options: { account: { ...account, says: 'only those of this account' } },
  async run({ api, terminal, options }) {
    const rows: string[][] = []
    let cursor: string | undefined
    do {
      const page: v.InferOutput<typeof pageSchema> = await api.call(pageSchema, 'GET', '/v1/webhooks', {
        query: { accountId: options.account, limit: '100', cursor },
      })
      for (const webhook of page.webhooks) {
        if (terminal.json) terminal.document(webhook)
        const { id, accountId, url, types, state, failures, lastFailure } = webhook
        const trouble = failures > 0 && lastFailure ? `${failures}, last ${lastFailure.evidence}` : ''
        rows.push([id, accountId ?? 'every', url, types?.join(' ') ?? 'all', state, trouble])
      }
      cursor = page.cursor ?? undefined
    } while (cursor)
    if (!terminal.json) terminal.table(['webhook', 'account', 'url', 'events', 'state', 'failures'], rows)
    return exitCodes.done
  },
})

const testSchema = v.object({
  accepted: v.boolean(),
  evidence: v.string(),
  durationMs: integer,
})

const test = command({
  name: 'webhooks test',
  words: ['WEBHOOK'],
  says: 'posts a test event at once, and says what the receiver made of it',
  more: 'Exit code 1 if it was not accepted.',
  options: {},
  async run({ api, terminal, words }) {
    const result = await api.call(testSchema, 'POST', `${webhookPath(words.WEBHOOK)}/test`)
    if (terminal.json) terminal.document(result)
    else
      terminal.line(
        `${result.accepted ? 'Accepted' : 'Not accepted'}: ${result.evidence}, ${result.durationMs} ms`,
      )
    return result.accepted ? exitCodes.done : exitCodes.notWell
  },
})

const queuedSchema = v.object({ queued: integer, cursor: v.nullable(v.string()) })

const redeliver = command({
  name: 'webhooks redeliver',
  words: ['WEBHOOK'],
  says: 'delivers events of the log again: one, or all after a cursor',
  options: {
    event: { type: 'string', value: 'ID', says: 'this event only' },
    after: { type: 'string', value: 'CURSOR', says: 'those after this cursor; without it all of the log' },
    account: { ...account, says: 'whose log, where the webhook is for every account' },
  },
  async run({ api, terminal, words, options }) {
    if (options.event !== undefined && options.after !== undefined)
      throw new UsageError('redeliver takes either --event or --after.')
    const path = `${webhookPath(words.WEBHOOK)}/redeliver`
    let count = 0
    let after = options.after
    do {
      const one = options.event === undefined ? { after, limit: 100 } : { eventId: options.event }
      const { queued, cursor } = await api.call(queuedSchema, 'POST', path, {
        body: { ...one, accountId: options.account },
      })
      count += queued
      after = cursor ?? undefined
      terminal.progress(`${count} queued${after ? `; go on from here with --after ${after}` : ''}`)
    } while (after)
    if (terminal.json) terminal.document({ queued: count })
    else terminal.line(`${count} ${count === 1 ? 'event is' : 'events are'} delivered again.`)
    return exitCodes.done
  },
})

const rotate = command({
  name: 'webhooks rotate',
  words: ['WEBHOOK'],
  says: 'makes a new secret; for a day deliveries are signed with the old one, too',
  options: {},
  async run({ api, terminal, words }) {
    const path = `${webhookPath(words.WEBHOOK)}/rotate-secret`
    const webhook = await api.call(withSecretSchema, 'POST', path)
    if (terminal.json) terminal.document(webhook)
    else terminal.line(`New secret, shown this once: ${webhook.secret}`)
    return exitCodes.done
  },
})

const change = command({
  name: 'webhooks change',
  words: ['WEBHOOK'],
  says: 'another URL or other events; pauses it, or makes it active again',
  options: {
    url: { type: 'string', value: 'URL', says: 'where events are posted from now on' },
    type,
    state: { type: 'string', value: 'STATE', says: 'active or paused' },
  },
  async run({ api, terminal, words, options }) {
    const body = {
      ...(options.url && { url: options.url }),
      ...(options.type.length > 0 && { types: options.type }),
      ...(options.state && { state: options.state }),
    }
    if (Object.keys(body).length === 0)
      throw new UsageError('webhooks change needs --url, --type or --state.')
    const webhook = await api.call(webhookSchema, 'PATCH', webhookPath(words.WEBHOOK), { body })
    if (terminal.json) terminal.document(webhook)
    else terminal.line(`${webhook.id} is ${webhook.state}, ${webhook.url}.`)
    return exitCodes.done
  },
})

const remove = command({
  name: 'webhooks remove',
  words: ['WEBHOOK'],
  says: 'ends a webhook; nothing more is posted',
  options: {},
  async run({ api, terminal, words }) {
    const webhook = await api.call(webhookSchema, 'DELETE', webhookPath(words.WEBHOOK))
    if (terminal.json) terminal.document(webhook)
    else terminal.line(`${webhook.id} is removed.`)
    return exitCodes.done
  },
})

export const webhookCommands = [list, add, change, test, redeliver, rotate, remove]
