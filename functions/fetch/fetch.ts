/** SQS (a batch of mailboxes) → IMAP → stored mail → event. */

import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda'
import { type Channels, openChannels } from '../channel/channels.ts'
import { eventLog, mailStore, mainTable, secretServices } from '../channel/clients.ts'
import { PostroomError } from '../channel/faults.ts'
import { openHealth } from '../channel/health.ts'
import { parseInput } from '../channel/input.ts'
import { errorForLog, log } from '../channel/log.ts'
import { openMessages } from '../channel/messages.ts'
import { pollBatchSchema } from '../channel/queues.ts'
import { openThreads } from '../channel/threads.ts'
import { openCursors } from './cursor.ts'
import { type MailboxServices, pollMailbox } from './mailbox.ts'

export interface FetchServices extends MailboxServices {
  channels: Channels
}

/** Mailboxes polled at the same time; a slow one holds one place, not the batch. */
const concurrency = 25
/** Time kept for the writes that end a poll. */
const reserveMs = 10_000

// called by AWS. What fails is not retried by the queue: the mailbox's next slot comes within minutes.
let services: FetchServices | undefined
export async function handler(event: SQSEvent, context: Context): Promise<SQSBatchResponse> {
  services ??= buildServices()
  const deadlineMs = Date.now() + context.getRemainingTimeInMillis() - reserveMs
  for (const record of event.Records) await fetchBatch(record.body, { services, deadlineMs })
  return { batchItemFailures: [] }
}

// runs once, on cold start: the only place that reads the environment
function buildServices(): FetchServices {
  const main = mainTable()
  const mail = mailStore()
  const now = Date.now
  const channels = openChannels({ main })
  const events = eventLog(main)
  const { tokens, providers } = secretServices()
  return {
    channels,
    events,
    mail,
    tokens,
    providers,
    messages: openMessages({ main, mail }),
    threads: openThreads({ main }),
    cursors: openCursors({ main }),
    health: openHealth({ channels, events, now }),
    now,
  }
}

/** Runs for every batch. One mailbox that hangs or fails delays no other. */
export async function fetchBatch(
  body: string,
  { services, deadlineMs }: { services: FetchServices; deadlineMs: number },
): Promise<void> {
  const channelIds = readBatch(body)
  const channels = await services.channels.findMany([...new Set(channelIds)])
  const waiting = [...channels]
  const worker = async () => {
    for (let channel = waiting.shift(); channel; channel = waiting.shift()) {
      try {
        await pollMailbox(channel, { services, deadlineMs })
      } catch (error) {
        log({ event: 'fetch_failed', channelId: channel.id, ...errorForLog(error) })
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, channels.length) }, worker))
}

function readBatch(body: string): string[] {
  try {
    return parseInput(pollBatchSchema, JSON.parse(body)).channelIds
  } catch (error) {
    // Whatever it was, it will not get better by being read again.
    log({ event: 'poll_batch_invalid', ...errorForLog(error instanceof PostroomError ? error : undefined) })
    return []
  }
}
