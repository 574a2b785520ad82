/** SQS → SMTP: takes in message documents, and drains the outbox of every channel that was rung for. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import { openChannels } from '../channel/channels.ts'
import {
  channelHealth,
  eventLog,
  mailStore,
  mainTable,
  outboundDeadLetters,
  queues,
  restoredTables,
  secretServices,
  systemMetrics,
} from '../channel/clients.ts'
import { readEnvironment, readOptional } from '../channel/environment.ts'
import { withoutWords } from '../channel/escaped-error.ts'
import { errorForLog, log } from '../channel/log.ts'
import { openLoopBrake } from '../channel/loop-brake.ts'
import { openMessages } from '../channel/messages.ts'
import { openOutbox } from '../channel/outbox.ts'
import { openReconnectLinks } from '../channel/reconnect-link.ts'
import { openSentFolder } from '../channel/sent-folder.ts'
import { openSmtp } from '../channel/smtp.ts'
import { openThreads } from '../channel/threads.ts'
import { type DrainServices, drain } from './drain.ts'
import { channelNamedIn, type IntakeServices, takeIn } from './intake.ts'

export type SendServices = IntakeServices & DrainServices

// called by AWS; a record that is returned as failed comes back after the queue's visibility time-out
let services: SendServices | undefined
export function handler(event: SQSEvent, context: Context): Promise<SQSBatchResponse> {
  return withoutWords(async () => {
    services ??= buildServices()
    return send(event.Records, { services, deadlineMs: Date.now() + context.getRemainingTimeInMillis() })
  })
}

// runs once, on cold start: the only place that reads the environment
function buildServices(): SendServices {
  const main = mainTable()
  const mail = mailStore()
  const now = Date.now
  const channels = openChannels({ main })
  const metrics = systemMetrics()
  const events = eventLog(main, metrics)
  const { tokens, providers } = secretServices({ main, events })
  const deadLetters = outboundDeadLetters()
  const ringing = queues()
  return {
    main,
    metrics,
    mail,
    channels,
    events,
    tokens,
    providers,
    messages: openMessages({ main, mail }),
    outbox: openOutbox({ main }),
    threads: openThreads({ main }),
    loopBrake: openLoopBrake({ main, now }),
    health: channelHealth({ main, channels, events, queues: ringing }),
    links: openReconnectLinks({ main, channels, publicUrl: readEnvironment('publicUrl'), now }),
    appName: readOptional('appName'),
    bury: (record, code) => deadLetters.bury(record.body, code),
    openSmtp,
    openSent: openSentFolder,
    restored: restoredTables(),
    sleep: ms => sleep(ms),
    now,
  }
}

/**
 * Runs for every batch. Channel by channel, all at once: what is slow or fails in one delays no other (I7). Within a
 * channel one record after the other, in the order in which they came.
 */
export async function send(
  records: SQSRecord[],
  { services, deadlineMs }: { services: SendServices; deadlineMs: number },
): Promise<SQSBatchResponse> {
  const failed = new Set<string>()
  const fail = (record: SQSRecord, error: unknown) => {
    failed.add(record.messageId)
    services.metrics.add('InternalFaults')
    log({ event: 'send_failed', record: record.messageId, ...errorForLog(error) })
  }

  const sendFor = async (ofChannel: SQSRecord[]) => {
    let channelId: string | null = null
    const rings: SQSRecord[] = []
    for (const record of ofChannel) {
      try {
        const rung = await takeIn(record, services)
        if (rung === null) continue
        channelId = rung
        rings.push(record)
      } catch (error) {
        fail(record, error)
      }
    }
    if (channelId === null) return
    await drain(channelId, { services, deadlineMs }).catch(error => {
      for (const record of rings) fail(record, error)
    })
  }
  await Promise.all([...byChannel(records).values()].map(sendFor))
  services.metrics.write()
  return { batchItemFailures: [...failed].map(itemIdentifier => ({ itemIdentifier })) }
}

function byChannel(records: SQSRecord[]): Map<string | undefined, SQSRecord[]> {
  const groups = new Map<string | undefined, SQSRecord[]>()
  for (const record of records) {
    const channelId = channelNamedIn(record)
    groups.set(channelId, [...(groups.get(channelId) ?? []), record])
  }
  return groups
}
