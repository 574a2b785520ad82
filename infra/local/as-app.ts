/** What an app does: calls the HTTP API, and waits for events. Used by the tour and by tests. */

import { setTimeout as sleep } from 'node:timers/promises'

/** What a public interface answered; whoever reads it checks it as it goes. */
// biome-ignore lint/suspicious/noExplicitAny: JSON of any shape
export type Json = any

export interface ApiAnswer {
  status: number
  body: Json
}

export interface App {
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<ApiAnswer>
  /** Sends one message; the same key twice is the same message. */
  send(channelId: string, document: object, idempotencyKey: string): Promise<ApiAnswer>
  /** Reads the account's event log until one fits. @throws Error after `timeoutMs`, with the types that were seen */
  event(accountId: string, fits: (event: Json) => boolean, timeoutMs?: number): Promise<Json>
}

const lookEveryMs = 250
const defaultTimeoutMs = 30_000

export function openApp({ url, apiKey }: { url: string; apiKey: string }): App {
  async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${apiKey}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    })
    const text = await response.text()
    const isJson = (response.headers.get('content-type') ?? '').includes('json')
    return { status: response.status, body: isJson ? JSON.parse(text) : text }
  }

  return {
    call,
    send: (channelId, document, idempotencyKey) =>
      call('POST', `/v1/channels/${channelId}/messages`, document, { 'idempotency-key': idempotencyKey }),

    async event(accountId, fits, timeoutMs = defaultTimeoutMs) {
      const deadlineMs = Date.now() + timeoutMs
      const seen: string[] = []
      let after: string | null = null
      while (Date.now() < deadlineMs) {
        const query: string = new URLSearchParams({
          accountId,
          limit: '100',
          ...(after && { after }),
        }).toString()
        const { body } = await call('GET', `/v1/events?${query}`)
        for (const event of body.events ?? []) {
          if (fits(event)) return event
          seen.push(event.type)
        }
        after = body.cursor ?? after
        await sleep(lookEveryMs)
      }
      throw new Error(`The event did not come within ${timeoutMs} ms; seen: ${seen.join(', ') || 'none'}`)
    },
  }
}
