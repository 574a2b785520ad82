/** The way of an event to webhooks over a test's own stores: announced, told by the topic, posted by `notify`. */

import { webhookDoorbellSchema } from '../../functions/channel/queue-bodies.ts'
import { parse } from '../../functions/channel/schema-check.ts'
import { notify } from '../../functions/notify/notify.ts'
import { apiCaller } from './api-caller.ts'
import { jsonOf } from './http-requests.ts'
import type { Workbench } from './workbench.ts'

export interface WebhookBench {
  /** Sets one up over the API. @returns its document, with the secret */
  add(
    url: string,
    options?: { accountId?: string | null; types?: string[] },
  ): Promise<{ id: string; secret: string }>
  /** Makes an event happen. @returns its id */
  happen(
    subject: string,
    options?: { accountId?: string; type?: 'message.received' | 'message.sent' },
  ): Promise<string>
  /** Everything the topic told and whatever was rung for goes to `notify`, until there is nothing more. */
  settle(): Promise<void>
  /** Time passes, in steps; after each, what is due is rung for, as `schedule` does. */
  pass(ms: number, stepMs: number): Promise<void>
}

export function webhookBench(bench: Workbench): WebhookBench {
  const { clock, stores, queues, now } = bench
  let told = 0

  function newRecords() {
    const published = stores.calls.filter(({ command }) => command === 'PublishCommand')
    const messages = published.slice(told).map(({ input }) => String(Reflect.get(input, 'Message')))
    told = published.length
    const doorbells = queues.notified
      .splice(0)
      .map(webhookId => JSON.stringify(parse(webhookDoorbellSchema, { webhookId })))
    return [...messages, ...doorbells].map((body, number) => ({ messageId: String(number), body }))
  }

  return {
    async add(url, { accountId = 'acme', types } = {}) {
      const body = { url, ...(accountId !== null && { accountId }), ...(types && { types }) }
      const answer = await apiCaller(bench).call('POST /v1/webhooks', { body })
      if (answer.statusCode !== 201) throw new Error(`No webhook: ${answer.body}`)
      const { id, secret } = jsonOf(answer)
      return { id, secret }
    },

    async happen(subject, { accountId = 'acme', type = 'message.received' } = {}) {
      // Deliveries are in the order of time, to the millisecond.
      clock.advance(1)
      const occurredAt = new Date(now()).toISOString()
      const data = { message: { id: subject } }
      await bench.events.announce({ type, accountId, channelId: 'ch_1', occurredAt, subject, data })
      const published = stores.calls.findLast(({ command }) => command === 'PublishCommand')
      return JSON.parse(String(Reflect.get(published?.input ?? {}, 'Message'))).id
    },

    async settle() {
      for (let records = newRecords(); records.length > 0; records = newRecords()) {
        const answer = await notify(records, { services: bench, deadlineMs: now() + 60_000 })
        if (answer.batchItemFailures.length > 0) throw new Error('notify gave a record back')
      }
    },

    async pass(ms, stepMs) {
      const endMs = now() + ms
      while (now() < endMs) {
        clock.advance(stepMs)
        for (const id of await bench.webhooks.due(new Date(now()).toISOString(), 100)) await queues.notify(id)
        await this.settle()
      }
    },
  }
}
