/**
 * SQS (a batch of mailboxes) → IMAP → stored mail → event. Also forgets grants that others have ended, refreshes those
 * nobody uses, tells of OAuth apps' secrets that end soon, and parses mail anew.
 */

import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda'
import { openChannels } from '../channel/channels.ts'
import {
  channelHealth,
  eventLog,
  mailStore,
  mainTable,
  queues,
  secretServices,
  systemMetrics,
} from '../channel/clients.ts'
import { readEnvironment } from '../channel/environment.ts'
import { withoutWords } from '../channel/escaped-error.ts'
import { type ForgetServices, forgetGrant } from '../channel/forget-grant.ts'
import { openIdentities } from '../channel/identities.ts'
import { openImapSession } from '../channel/imap-reader.ts'
import { log } from '../channel/log.ts'
import { openLoopBrake } from '../channel/loop-brake.ts'
import { openMessages } from '../channel/messages.ts'
import { openPollMarks } from '../channel/poll-marks.ts'
import {
  checkAppsSchema,
  forgetSchema,
  keepAliveSchema,
  pollBatchSchema,
  reparseSchema,
} from '../channel/queue-bodies.ts'
import { check } from '../channel/schema-check.ts'
import { openSlots } from '../channel/slots.ts'
import { openThreads } from '../channel/threads.ts'
import { type BatchServices, fetchBatch } from './batch.ts'
import { openCursors } from './cursor.ts'
import { type KeepAliveServices, keepAlive } from './keep-alive.ts'
import { openMemory } from './memory.ts'
import { openParser } from './parser.ts'
import { type ReparseServices, reparse } from './reparse.ts'
import { announceExpiring } from './secret-expiry.ts'

export interface FetchServices extends BatchServices, ForgetServices, KeepAliveServices, ReparseServices {}

/** Raw mail that lies in memory at once, over all mailboxes: parsing takes several times as much again. */
const memoryLimitBytes = 32 * 1024 * 1024
/** Time kept for the writes that end a poll. */
const reserveMs = 10_000

// called by AWS. What fails is not retried by the queue: the mailbox's next slot comes within minutes.
let services: FetchServices | undefined
export function handler(event: SQSEvent, context: Context): Promise<SQSBatchResponse> {
  return withoutWords(async () => {
    services ??= buildServices()
    const deadlineMs = Date.now() + context.getRemainingTimeInMillis() - reserveMs
    try {
      for (const record of event.Records) await answerRecord(record.body, { services, deadlineMs })
    } finally {
      services.metrics.write()
    }
    return { batchItemFailures: [] }
  })
}

// runs once, on cold start: the only place that reads the environment
function buildServices(): FetchServices {
  const main = mainTable()
  const mail = mailStore()
  const now = Date.now
  const channels = openChannels({ main })
  const metrics = systemMetrics()
  const events = eventLog(main, metrics)
  const { tokens, grants, apps, breaker, providers } = secretServices({ main, events })
  const ringing = queues()
  return {
    channels,
    events,
    metrics,
    mail,
    tokens,
    grants,
    apps,
    breaker,
    providers,
    identities: openIdentities({ main }),
    queues: ringing,
    slots: openSlots({ main }),
    pollMarks: openPollMarks({ main, events, now }),
    pollIntervalMinutes: Number(readEnvironment('pollIntervalMinutes')),
    messages: openMessages({ main, mail }),
    threads: openThreads({ main }),
    parser: openParser(),
    loopBrake: openLoopBrake({ main, now }),
    cursors: openCursors({ main }),
    imap: { open: openImapSession },
    memory: openMemory(memoryLimitBytes),
    health: channelHealth({ main, channels, events, queues: ringing }),
    now,
  }
}

interface Work {
  services: FetchServices
  deadlineMs: number
}

/** Runs for every record: a batch to poll, grants and OAuth apps to look after, or a mail to parse once more. */
export async function answerRecord(body: string, work: Work): Promise<void> {
  const document = parseJson(body)
  const forget = check(forgetSchema, document)
  if (forget.success) return forgetGrant(forget.data.forget, work.services)
  const stored = check(reparseSchema, document)
  if (stored.success) return reparse(stored.data.reparse.messageId, work.services)
  const unused = check(keepAliveSchema, document)
  if (unused.success) return keepAlive(unused.data.keepAlive, work.services)
  if (check(checkAppsSchema, document).success) return announceExpiring(work.services)
  const batch = check(pollBatchSchema, document)
  if (batch.success) return fetchBatch(batch.data, work)
  // Whatever it was, it will not get better by being read again.
  log({ event: 'poll_record_invalid', bytes: Buffer.byteLength(body) })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
