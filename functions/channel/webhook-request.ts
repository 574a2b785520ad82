/** The only file that calls an app's URLs: one event, signed, to an address that is allowed, within a time. */

import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { RequestFilteringHttpAgent, RequestFilteringHttpsAgent } from 'request-filtering-agent'
import { Webhook as Signer } from 'standardwebhooks'
import type { PostroomEvent } from './events.ts'
import { askedWaitMs } from './http.ts'
import type { WebhookSecrets } from './webhook-secrets.ts'
import type { Egress, Webhook } from './webhooks.ts'

export interface WebhookRequestServices {
  webhookSecrets: WebhookSecrets
  egress: Egress
  /** From the first packet to the last byte of the answer. */
  webhookTimeoutMs: number
  now(): number
}

/** What the receiver made of it. */
export type Receipt =
  | { accepted: true; status: number }
  | {
      accepted: false
      /** For a person: a status or a network error's code. Nothing of what the receiver wrote. */
      evidence: string
      /** 410: the receiver wants nothing more, ever. */
      isGone: boolean
      retryAfterMs: number | undefined
    }

/** Only the status counts; an answer longer than this is cut off. */
const answerLimitBytes = 64 * 1024
const longestRetryAfterMs = 24 * 3600_000

/**
 * Posts an event as Standard Webhooks wants it: `webhook-id` stays the same over all attempts, so that the
 * receiver can drop repeats; the timestamp is the attempt's own; one signature for each live secret.
 * Never throws for what the receiver does.
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export async function postEvent(
  webhook: Webhook,
  event: PostroomEvent,
  services: WebhookRequestServices,
): Promise<Receipt> {
  const body = JSON.stringify(event)
  const headers = {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    'user-agent': 'Postroom',
    ...(await signed(webhook, { id: event.id, body }, services)),
  }
  return new Promise(resolve => {
    const fail = (evidence: string, more: Partial<Receipt> = {}) =>
      resolve({ accepted: false, evidence, isGone: false, retryAfterMs: undefined, ...more } as Receipt)
    const url = new URL(webhook.url)
    const isTls = url.protocol === 'https:'
    const send = isTls ? httpsRequest : httpRequest
    const request = send(
      url,
      { method: 'POST', headers, agent: agentFor(services.egress, isTls) },
      response => receive(response, { resolve, fail }),
    )
    const timer = setTimeout(() => request.destroy(new Timeout()), services.webhookTimeoutMs)
    request.on('close', () => clearTimeout(timer))
    request.on('error', error => fail(evidenceOf(error)))
    request.end(body)
  })
}

class Timeout extends Error {
  readonly code = 'no whole answer in time'
}

function receive(
  response: IncomingMessage,
  { resolve, fail }: { resolve(receipt: Receipt): void; fail(evidence: string, more?: object): void },
): void {
  const status = response.statusCode ?? 0
  const done = () => {
    // A redirect is not followed: it would lead where nobody has checked.
    if (status >= 200 && status < 300) return resolve({ accepted: true, status })
    fail(`HTTP ${status}`, {
      isGone: status === 410,
      retryAfterMs: retryAfter(response),
    })
  }
  let bytes = 0
  response.on('data', chunk => {
    bytes += chunk.length
    if (bytes <= answerLimitBytes) return
    done()
    response.destroy()
  })
  response.on('end', done)
  // An answer that breaks off is none: its 200 may have been written before the work was done.
  response.on('error', error => fail(evidenceOf(error)))
  response.on('aborted', () => fail('the answer broke off'))
}

function retryAfter({ headers }: IncomingMessage): number | undefined {
  const waitMs = askedWaitMs(headers['retry-after'], headers.date)
  return waitMs && Math.min(waitMs, longestRetryAfterMs)
}

function evidenceOf(error: Error): string {
  if ('code' in error && typeof error.code === 'string') return error.code
  // The filter's error has no code; its text would name what the host resolves to.
  return error.message.includes('is not allowed') ? 'address not allowed' : 'no connection'
}

/** Addresses are checked when the socket connects, so that no name can change its mind after the check. */
function agentFor(egress: Egress, isTls: boolean) {
  const options = { allowIPAddressList: egress === 'loopback' ? ['127.0.0.1', '::1'] : [] }
  return isTls ? new RequestFilteringHttpsAgent(options) : new RequestFilteringHttpAgent(options)
}

async function signed(
  { id, secrets }: Webhook,
  message: { id: string; body: string },
  { webhookSecrets, now }: WebhookRequestServices,
): Promise<Record<string, string>> {
  const at = new Date(now())
  const live = secrets.filter(({ expiresAt }) => expiresAt === null || expiresAt > at.toISOString())
  const keys = await Promise.all(live.map(({ version }) => webhookSecrets.secretOf(id, version)))
  return {
    'webhook-id': message.id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': keys.map(key => new Signer(key).sign(message.id, at, message.body)).join(' '),
  }
}
