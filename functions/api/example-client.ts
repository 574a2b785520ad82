/** A client of the API to start from: copy it, it needs nothing but Node. How to use it: integrate.md beside it. */

import { setTimeout as sleep } from 'node:timers/promises'

// biome-ignore lint/suspicious/noExplicitAny: /v1/openapi.json describes every answer; generate types from it if you like
type Json = any

/** @param bearer the API key, or on AWS a token of your issuer (with IAM, sign the requests instead) */
export function openPostroom(url: string, bearer: string) {
  async function call(method: string, path: string, body?: object, headers?: object): Promise<Json> {
    const response = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json', ...headers },
      body: body && JSON.stringify(body),
    })
    const answer: Json = await response.json()
    // Decide by `code`, which is stable; `detail` is for a person.
    if (!response.ok)
      throw Object.assign(new Error(answer.detail), { code: answer.code, actor: answer.actor })
    return answer
  }
  return {
    call,
    /** The same key with the same message is the same message: a call that broke off is safely made again. */
    send: (channelId: string, message: object, key: string) =>
      call('POST', `/v1/channels/${channelId}/messages`, message, { 'idempotency-key': key }),
    /** Page by page, for ever. Keep the cursor once the page is done: from there you go on after a crash. */
    async *events(accountId: string, cursor: string | null = null): AsyncGenerator<Json> {
      for (let after = cursor; ; await sleep(1000)) {
        const page = await call('GET', `/v1/events?accountId=${accountId}${after ? `&after=${after}` : ''}`)
        if (page.events.length > 0) yield page
        after = page.cursor ?? after
      }
    },
  }
}
