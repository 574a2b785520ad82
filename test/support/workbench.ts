/** Everything the functions are given, built over a test's own stores, and what a test wants to see of it. */

import { ListObjectsV2Command } from '@aws-sdk/client-s3'
import { ScanCommand } from '@aws-sdk/lib-dynamodb'
import { openAppBreaker } from '../../functions/channel/app-breaker.ts'
import { untroubled } from '../../functions/channel/channel-health.ts'
import { type Channel, openChannels } from '../../functions/channel/channels.ts'
import { bySecret } from '../../functions/channel/client-credential.ts'
import { openConnectSessions } from '../../functions/channel/connect-sessions.ts'
import { openDeliveries } from '../../functions/channel/deliveries.ts'
import { countingEvents } from '../../functions/channel/event-metrics.ts'
import { openEvents } from '../../functions/channel/events.ts'
import { openEventsTopic } from '../../functions/channel/events-topic.ts'
import { openGrants } from '../../functions/channel/grant.ts'
import { openHealth } from '../../functions/channel/health.ts'
import { openIdentities } from '../../functions/channel/identities.ts'
import { openImapSession } from '../../functions/channel/imap-reader.ts'
import { openLoopBrake } from '../../functions/channel/loop-brake.ts'
import { openMailStore } from '../../functions/channel/mail-store.ts'
import { openMessages } from '../../functions/channel/messages.ts'
import type { MetricName, Metrics } from '../../functions/channel/metrics.ts'
import type { OAuthApp } from '../../functions/channel/oauth-app.ts'
import type { OAuthApps } from '../../functions/channel/oauth-apps.ts'
import { openOutbox } from '../../functions/channel/outbox.ts'
import { openPollMarks } from '../../functions/channel/poll-marks.ts'
import { openPresigned } from '../../functions/channel/presigned.ts'
import type { Providers } from '../../functions/channel/provider.ts'
import type { OwnerNotice } from '../../functions/channel/queue-bodies.ts'
import type { PollBatch, Queues } from '../../functions/channel/queues.ts'
import { openReconnectLinks } from '../../functions/channel/reconnect-link.ts'
import { openSeal } from '../../functions/channel/seal.ts'
import { openSentFolder } from '../../functions/channel/sent-folder.ts'
import { openSlots } from '../../functions/channel/slots.ts'
import { openSmtp } from '../../functions/channel/smtp.ts'
import { openTable, type Table } from '../../functions/channel/table.ts'
import { openThreads } from '../../functions/channel/threads.ts'
import type { TokenAnswer } from '../../functions/channel/token-endpoint.ts'
import { openTokens } from '../../functions/channel/tokens.ts'
import { openWebhookSecrets } from '../../functions/channel/webhook-secrets.ts'
import { type Egress, openWebhooks } from '../../functions/channel/webhooks.ts'
import { openCursors } from '../../functions/fetch/cursor.ts'
import { openMemory } from '../../functions/fetch/memory.ts'
import { openParser } from '../../functions/fetch/parser.ts'
import { type Clock, openClock } from './clock.ts'
import type { Stores } from './running-engines.ts'

/** What was rung and asked for. */
export interface RecordedQueues extends Queues {
  rings: string[]
  /** Webhooks that were rung for. */
  notified: string[]
  polls: PollBatch[]
  /** Channels that somebody wants polled now. */
  asked: string[]
  /** Ids of the grants that are to be forgotten. */
  forgotten: string[]
  /** Ids of the mails that are to be parsed once more. */
  reparses: string[]
  /** Ids of the channels whose grants are to be looked after, batch by batch. */
  keptAlive: string[][]
  /** Owners that are to be written to. */
  notices: OwnerNotice[]
  /** How often the OAuth apps were to be checked. */
  appChecks: number
}

export function recordQueues(): RecordedQueues {
  const rings: string[] = []
  const notified: string[] = []
  const polls: RecordedQueues['polls'] = []
  const asked: string[] = []
  const forgotten: string[] = []
  const reparses: string[] = []
  const keptAlive: string[][] = []
  const notices: OwnerNotice[] = []
  return {
    rings,
    notified,
    polls,
    asked,
    forgotten,
    reparses,
    async reparse(messageId) {
      reparses.push(messageId)
    },
    keptAlive,
    notices,
    async noticeOwner(notice) {
      notices.push(notice)
    },
    appChecks: 0,
    async keepAlive(channelIds) {
      keptAlive.push(channelIds)
    },
    async checkApps() {
      this.appChecks += 1
    },
    async forget({ grantId }) {
      forgotten.push(grantId)
    },
    async ring(channelId) {
      rings.push(channelId)
    },
    async notify(webhookId) {
      notified.push(webhookId)
    },
    async pollNow({ id }) {
      asked.push(id)
    },
    async poll(batches) {
      polls.push(...batches)
    },
  }
}

/** What was added, name by name. */
interface RecordedMetrics extends Metrics {
  added: Partial<Record<MetricName, number[]>>
}

function recordMetrics(): RecordedMetrics {
  const added: RecordedMetrics['added'] = {}
  return {
    added,
    add(name, value = 1) {
      added[name] = [...(added[name] ?? []), value]
    },
    write() {},
  }
}

export const testApp: OAuthApp = {
  clientId: 'client-of-this-test',
  tenant: 'common',
  authenticate: bySecret('client-secret-of-this-test'),
}

/** One app for every provider. */
const testApps: OAuthApps = { get: async () => testApp, all: async () => ({}) }

export interface WorkbenchOptions {
  providers: Providers
  clock?: Clock
  apps?: OAuthApps
  /** Instead of the engine's: for thousands of channels, which it would take a minute to write. */
  tables?: { main: Table; secrets: Table }
}

/** One worker for all tests of a file; it ends with the process. */
const parser = openParser()

export type Workbench = ReturnType<typeof openWorkbench>

export function openWorkbench(stores: Stores, options: WorkbenchOptions) {
  const { providers, clock = openClock(), apps = testApps } = options
  const { now } = clock
  const publicUrl = 'http://localhost:4400'
  const main = options.tables?.main ?? openTable(stores.dynamodb, stores.mainTable)
  const secrets = options.tables?.secrets ?? openTable(stores.dynamodb, stores.secretsTable)
  const mail = openMailStore({ s3: stores.s3, bucket: stores.bucket })
  const channels = openChannels({ main })
  const metrics = recordMetrics()
  const events = countingEvents(openEvents({ main, topic: openEventsTopic(stores), now }), {
    metrics,
    now,
  })
  const seal = openSeal({ kms: stores.kms, keyArn: stores.keyArn, secrets, now })
  const grants = openGrants({ secrets, seal, now })
  const breaker = openAppBreaker({ main, events, now })
  const queues = recordQueues()
  return {
    stores,
    clock,
    now,
    main,
    secrets,
    mail,
    // S3's own clock tells what has expired.
    presigned: openPresigned({ s3: stores.s3, bucket: stores.bucket, now: Date.now }),
    channels,
    metrics,
    events,
    seal,
    grants,
    breaker,
    apps,
    providers,
    messages: openMessages({ main, mail }),
    outbox: openOutbox({ main }),
    threads: openThreads({ main }),
    cursors: openCursors({ main }),
    imap: { open: openImapSession },
    memory: openMemory(32 * 1024 * 1024),
    loopBrake: openLoopBrake({ main, now }),
    parser,
    identities: openIdentities({ main }),
    slots: openSlots({ main }),
    pollMarks: openPollMarks({ main, events, now }),
    sessions: openConnectSessions({ main, now }),
    links: openReconnectLinks({ main, channels, publicUrl, now }),
    health: openHealth({ main, channels, events, providers, queues, publicUrl, now }),
    tokens: openTokens({ channels, grants, apps, providers, breaker, now }),
    webhooks: openWebhooks({ main }),
    deliveries: openDeliveries({ main, now }),
    webhookSecrets: openWebhookSecrets({ kms: stores.kms, keyArn: stores.keyArn, now }),
    egress: 'loopback' as Egress,
    // Long enough for a busy machine, short enough for a test to wait for.
    webhookTimeoutMs: 1_500,
    queues,
    openSmtp,
    openSent: openSentFolder,
    /** Nobody waits for the time to pass. */
    sleep: async (ms: number) => clock.advance(ms),
    appName: null,
    publicUrl,
    returnUrls: ['https://app.example/connected'],
    tokenRules: { accountClaim: 'account', operatorScope: 'operator' },
    pollIntervalMinutes: 5,
  }
}

let channelCount = 0

/** A channel as `connect` would have made it, with a grant of its own. */
export async function addChannel(
  { channels, grants, apps, now }: Workbench,
  { tokens, ...given }: Partial<Channel> & { tokens?: Partial<TokenAnswer> } = {},
): Promise<Channel> {
  const number = ++channelCount
  const at = new Date(now()).toISOString()
  const { clientId } = await apps.get(given.provider ?? 'microsoft')
  const channel: Channel = {
    id: `ch_${number}`,
    accountId: 'acme',
    provider: 'microsoft',
    identity: { tid: '5c1f2c9e-0a3b-4d57-9a41-3f6f0d2f8a10', oid: `person-${number}` },
    email: 'ada@contoso.example',
    displayName: 'Ada Lovelace',
    sharedMailbox: null,
    aliases: [],
    folders: ['INBOX'],
    folderPaths: {},
    ownerNotice: null,
    login: { imap: 'ada@contoso.example', smtp: 'ada@contoso.example' },
    clientId,
    access: { imap: { state: 'ok', fault: null }, smtp: { state: 'ok', fault: null } },
    nextProbeAt: null,
    auth: { state: 'connected', fault: null, since: at },
    ...untroubled,
    history: [],
    revision: 0,
    grantId: `gr_${number}`,
    connectedAt: at,
    fetchSince: at,
    lastFetchedAt: null,
    disconnectedAt: null,
    unannounced: [],
    ...given,
  }
  await grants.create(ownerOf(channel), {
    accessToken: `access-0-${number}`,
    idToken: null,
    expiresInMs: 3600_000,
    scope: null,
    ...tokens,
    refreshToken: tokens?.refreshToken ?? `refresh-0-${number}`,
  })
  await channels.create(channel)
  return channel
}

export function ownerOf(channel: Channel) {
  return { grantId: channel.grantId, accountId: channel.accountId, channelId: channel.id }
}

/** The whole event log of an account, oldest first. */
export async function eventsOf({ main }: Workbench, accountId = 'acme') {
  const page = await main.listing(`EVENTS#${accountId}`, { limit: 1000 })
  const items = await main.getMany(page.items)
  return items.map(item => ({
    id: String(item?.id),
    type: String(item?.type),
    channelId: item?.channelId,
    // Written by openEvents() a moment ago; each test looks at what it wrote.
    data: item?.data as Record<string, Record<string, unknown>>,
  }))
}

export async function eventTypes(bench: Workbench, accountId = 'acme'): Promise<string[]> {
  return (await eventsOf(bench, accountId)).map(({ type }) => type)
}

/** Every item of both tables, as text: for what must or must not stand in it. */
export async function storedItems({ stores }: Workbench): Promise<Record<string, unknown>[]> {
  const scans = [stores.mainTable, stores.secretsTable].map(TableName =>
    stores.dynamodb.send(new ScanCommand({ TableName })),
  )
  return (await Promise.all(scans)).flatMap(({ Items }) => Items ?? [])
}

export async function storedObjects({ stores }: Workbench): Promise<string[]> {
  const { Contents = [] } = await stores.s3.send(new ListObjectsV2Command({ Bucket: stores.bucket }))
  return Contents.map(({ Key }) => Key ?? '')
}

/** Calls of DynamoDB that write. */
export function writesIn(stores: Stores): number {
  return stores.calls.filter(({ command }) => /^(Put|Update|Delete)Item/.test(command)).length
}
