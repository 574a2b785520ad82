/** The only file that writes to SQS. */

import { SendMessageBatchCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import type * as v from 'valibot'
import type {
  checkAppsSchema,
  doorbellSchema,
  forgetSchema,
  keepAliveSchema,
  OwnerNotice,
  pollBatchSchema,
  reparseSchema,
  webhookDoorbellSchema,
} from './queue-bodies.ts'
import type { DeadLetters, PollBatch, Queues } from './queues.ts'

export interface QueueServices {
  sqs?: SQSClient
  outboundQueueUrl: string
  /** For providers without a queue of their own, and for work on secrets and mail. */
  pollQueueUrl: string
  /** By provider: what waits for one holds up no other's. */
  pollQueueUrls: Record<string, string>
  notifyQueueUrl: string
  now(): number
}

/** SQS's own limit for one call. */
const entriesPerCall = 10
const callsAtOnce = 8

/** The queue's URL carries its own host, which the endpoint of a local engine must override. */
const newClient = () => new SQSClient({ useQueueUrlAsEndpoint: false })

export function openQueues(services: QueueServices): Queues {
  const { sqs = newClient(), outboundQueueUrl, pollQueueUrl, pollQueueUrls, notifyQueueUrl, now } = services
  const queueOf = (provider: string) =>
    Object.hasOwn(pollQueueUrls, provider) ? pollQueueUrls[provider] : pollQueueUrl

  async function pollCall({ QueueUrl, batches }: { QueueUrl?: string; batches: PollBatch[] }): Promise<void> {
    const Entries = batches.map(({ provider, delaySeconds, ...batch }, index) => {
      const body: v.InferOutput<typeof pollBatchSchema> = { ...batch, dueAtMs: now() + delaySeconds * 1000 }
      return { Id: String(index), MessageBody: JSON.stringify(body), DelaySeconds: delaySeconds }
    })
    const { Failed = [] } = await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }))
    // The minute then counts as not dispatched, and comes again: polled twice is harmless, not polled is not.
    if (Failed.length > 0) throw new Error(`SQS took ${Failed.length} of ${batches.length} batches not`)
  }

  /** The body is one of those that queue-bodies.ts describes. */
  async function tell<Body>(QueueUrl: string | undefined, body: Body): Promise<void> {
    await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: JSON.stringify(body) }))
  }

  return {
    forget: grant => tell<v.InferOutput<typeof forgetSchema>>(pollQueueUrl, { forget: grant }),
    reparse: messageId => tell<v.InferOutput<typeof reparseSchema>>(pollQueueUrl, { reparse: { messageId } }),
    keepAlive: channelIds =>
      tell<v.InferOutput<typeof keepAliveSchema>>(pollQueueUrl, { keepAlive: channelIds }),
    checkApps: () => tell<v.InferOutput<typeof checkAppsSchema>>(pollQueueUrl, { checkApps: true }),
    pollNow: ({ id, provider }) =>
      tell<v.InferOutput<typeof pollBatchSchema>>(queueOf(provider), { channelIds: [id], isRequested: true }),
    ring: channelId => tell<v.InferOutput<typeof doorbellSchema>>(outboundQueueUrl, { channelId }),
    noticeOwner: notice => tell<OwnerNotice>(outboundQueueUrl, notice),
    notify: webhookId => tell<v.InferOutput<typeof webhookDoorbellSchema>>(notifyQueueUrl, { webhookId }),

    async poll(batches) {
      const byQueue = Map.groupBy(batches, ({ provider }) => queueOf(provider))
      const calls = [...byQueue].flatMap(([QueueUrl, all]) =>
        Array.from({ length: Math.ceil(all.length / entriesPerCall) }, (_, index) => ({
          QueueUrl,
          batches: all.slice(index * entriesPerCall, (index + 1) * entriesPerCall),
        })),
      )
      const worker = async () => {
        for (let call = calls.shift(); call; call = calls.shift()) await pollCall(call)
      }
      await Promise.all(Array.from({ length: callsAtOnce }, worker))
    },
  }
}

export function openDeadLetters({ queueUrl }: { queueUrl: string }): DeadLetters {
  const sqs = newClient()
  return {
    async bury(body, code) {
      await sqs.send(
        new SendMessageCommand({
          QueueUrl: queueUrl,
          MessageBody: body,
          MessageAttributes: { code: { DataType: 'String', StringValue: code } },
        }),
      )
    },
  }
}
