/** Postroom's nouns, opened on the tables under test, and new ones to store. */

import type { SNSClient } from '@aws-sdk/client-sns'
import { untroubled } from '../../functions/channel/channel-health.ts'
import { type Channel, openChannels } from '../../functions/channel/channels.ts'
import { type ConnectSession, openConnectSessions } from '../../functions/channel/connect-sessions.ts'
import { openEvents } from '../../functions/channel/events.ts'
import { openEventsTopic } from '../../functions/channel/events-topic.ts'
import { openGrants } from '../../functions/channel/grant.ts'
import { openHealth } from '../../functions/channel/health.ts'
import { randomId } from '../../functions/channel/identifiers.ts'
import { openIdentities } from '../../functions/channel/identities.ts'
import type { OutboundMessage } from '../../functions/channel/messages.ts'
import { openOutbox } from '../../functions/channel/outbox.ts'
import { openSeal } from '../../functions/channel/seal.ts'
import { openSlots } from '../../functions/channel/slots.ts'
import { openThreads } from '../../functions/channel/threads.ts'
import { type Clock, openClock } from '../support/clock.ts'
import type { Stores } from '../support/engines.ts'
import { fresh, type Tables } from './tables-under-test.ts'

export type Nouns = ReturnType<typeof openNouns>

/** @param stores KMS and SNS, which are not under test here */
export function openNouns(
  { main, secrets }: Tables,
  stores: Pick<Stores, 'kms' | 'keyArn' | 'sns' | 'topicArn'>,
) {
  const clock: Clock = openClock()
  const { now } = clock
  const published: string[] = []
  const sns = countingPublications(stores.sns, published)
  const channels = openChannels({ main })
  const events = openEvents({ main, topic: openEventsTopic({ sns, topicArn: stores.topicArn }), now })
  const newSeal = () => openSeal({ kms: stores.kms, keyArn: stores.keyArn, secrets, now })
  return {
    main,
    secrets,
    clock,
    now,
    published,
    channels,
    events,
    /** As another function has it: with a cache of its own. */
    newSeal,
    grants: openGrants({ secrets, seal: newSeal(), now }),
    health: openHealth({
      main,
      channels,
      events,
      providers: {},
      queues: { noticeOwner: async () => {} },
      publicUrl: 'http://localhost:4400',
      now,
    }),
    identities: openIdentities({ main }),
    outbox: openOutbox({ main }),
    sessions: openConnectSessions({ main, now }),
    slots: openSlots({ main }),
    threads: openThreads({ main }),
  }
}

/** Keeps the ids of what goes out. */
function countingPublications(sns: SNSClient, published: string[]): SNSClient {
  sns.middlewareStack.add(
    next => args => {
      if ('Message' in args.input) published.push(String(JSON.parse(String(args.input.Message)).id))
      return next(args)
    },
    { step: 'initialize', name: 'keepIds', override: true },
  )
  return sns
}

const at = '2026-01-01T00:00:00.000Z'

export function newChannel(given: Partial<Channel> = {}): Channel {
  return {
    id: randomId('ch'),
    accountId: fresh('account'),
    provider: 'microsoft',
    identity: { tid: 'tenant', oid: 'person' },
    email: 'ada@contoso.example',
    displayName: null,
    sharedMailbox: null,
    aliases: [],
    folders: ['INBOX'],
    folderPaths: {},
    ownerNotice: null,
    login: { imap: 'ada@contoso.example', smtp: 'ada@contoso.example' },
    clientId: 'client',
    auth: { state: 'connected', fault: null, since: at },
    ...untroubled,
    history: [],
    revision: 0,
    access: { imap: { state: 'ok', fault: null }, smtp: { state: 'ok', fault: null } },
    nextProbeAt: null,
    grantId: randomId('gr'),
    connectedAt: at,
    fetchSince: at,
    lastFetchedAt: null,
    disconnectedAt: null,
    unannounced: [],
    ...given,
  }
}

export function newSession(given: Partial<ConnectSession> = {}): ConnectSession {
  return {
    id: randomId('cs'),
    accountId: fresh('account'),
    provider: 'microsoft',
    returnUrl: null,
    loginHint: null,
    channelId: null,
    sharedMailbox: null,
    fetchSince: null,
    folders: null,
    autoConfirm: false,
    proveSendAs: false,
    state: 'open',
    createdAt: at,
    expiresAtMs: Date.now() + 600_000,
    ticketHash: 'hash',
    cookieHash: null,
    stateHash: null,
    candidate: null,
    fault: null,
    ...given,
  }
}

/** A session whose sign-in brought this channel. */
export function waitingSession(channel: Channel): ConnectSession {
  const { id: channelId, grantId, identity, email, displayName, login, clientId, access, accountId } = channel
  const candidates = { imap: [login.imap], smtp: [login.smtp] }
  const candidate = { channelId, grantId, identity, email, displayName, login, clientId, candidates, access }
  return newSession({ accountId, state: 'awaiting_confirmation', candidate })
}

export function newOutbound(channel: Channel, acceptedAt: string): OutboundMessage {
  const id = randomId('msg')
  return {
    id,
    accountId: channel.accountId,
    channelId: channel.id,
    direction: 'outbound',
    state: 'queued',
    messageId: `<${id}@contoso.example>`,
    threadId: 'th_1',
    from: [{ address: channel.email, name: null }],
    to: [{ address: 'customer@outside.example', name: null }],
    cc: [],
    bcc: [],
    replyTo: [],
    subject: '',
    inReplyTo: null,
    references: [],
    sizeBytes: 1,
    rawKey: '',
    contentKey: '',
    fault: null,
    acceptedAt,
    sendAt: null,
    expiresAt: '2099-01-01T00:00:00.000Z',
    onUncertain: 'report',
    documentHash: 'hash',
    attempt: 0,
    epoch: 0,
    sentLook: null,
    nextAttemptAt: null,
    sentAt: null,
    providerMessageId: null,
    rejectedRecipients: [],
  }
}
