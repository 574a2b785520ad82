/**
 * A token endpoint over HTTP that is as strict as the strictest provider: a refresh token works once, and one that is
 * used a second time ends the whole grant (RFC 9700 4.14.2). It can be made as lenient as Microsoft's, and what it
 * answers instead can be scripted.
 */

import { createServer, type ServerResponse } from 'node:http'
import { onTestFinished } from 'vitest'
import { listenOnLoopback } from '../../infra/local/loopback.ts'

/** Instead of tokens: an HTTP answer, or a connection that ends. */
export interface ScriptedAnswer {
  status: number
  body: unknown
  headers?: Record<string, string>
}

export interface TokenEndpoint {
  url: string
  /** The forms it was sent, in order. */
  requests: URLSearchParams[]
  /** Where it was asked. */
  paths: string[]
  /**
   * The next requests get these, in order; then it is itself again. `drop` ends the connection unanswered, `lose`
   * after it has issued tokens that then nobody knows.
   */
  script: (ScriptedAnswer | 'drop' | 'lose')[]
  /** What every request gets once the script has ended, for as long as this is set. */
  always: ScriptedAnswer | undefined
  /** Looks at what proves the client: false is answered as `invalid_client`. */
  knowsClient: (form: URLSearchParams) => Promise<boolean>
  /** A used refresh token stays valid beside the new one, as at Microsoft. */
  keepsOld: boolean
  /** Runs before each answer. */
  beforeAnswer: () => Promise<void>
  /** What an answer with tokens holds besides the access token. */
  answer: Record<string, unknown>
  /** Makes a refresh token known, as a consent would. */
  accept(refreshToken: string): void
  /** Whether the refresh token would be accepted now. */
  redeems(refreshToken: string): boolean
  /** Whether a reused refresh token has ended the grant. */
  isEnded(): boolean
  close(): Promise<void>
}

export const revoked: ScriptedAnswer = {
  status: 400,
  body: { error: 'invalid_grant', error_codes: [50173], error_description: 'AADSTS50173: It was revoked.' },
}

const unknownClient: ScriptedAnswer = {
  status: 401,
  body: { error: 'invalid_client', error_codes: [700027], error_description: 'AADSTS700027: Not verified.' },
}

/** Starts one that ends with the test. */
export async function startTokenEndpoint(): Promise<TokenEndpoint> {
  const valid = new Set<string>()
  const used = new Set<string>()
  let ended = false
  let count = 0

  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    const form = new URLSearchParams(text)
    endpoint.requests.push(form)
    endpoint.paths.push(request.url ?? '')
    await endpoint.beforeAnswer()
    const stranger = (await endpoint.knowsClient(form)) ? undefined : unknownClient
    const scripted = stranger ?? endpoint.script.shift() ?? endpoint.always
    if (scripted === 'lose') answerTo(form)
    if (scripted === 'drop' || scripted === 'lose') request.socket.destroy()
    else reply(response, scripted ?? answerTo(form))
  })

  function answerTo(form: URLSearchParams): ScriptedAnswer {
    const given = form.get('refresh_token') ?? ''
    if (used.has(given)) ended = true
    if (ended || (form.get('grant_type') === 'refresh_token' && !valid.has(given))) return revoked
    count += 1
    const body = {
      access_token: `access-${count}`,
      refresh_token: `refresh-${count}`,
      expires_in: 3600,
      ...endpoint.answer,
    }
    // A provider that gives no new refresh token lets the old one live; JSON leaves out what is undefined.
    if (body.refresh_token !== undefined) {
      if (!endpoint.keepsOld) {
        valid.delete(given)
        used.add(given)
      }
      valid.add(body.refresh_token)
    }
    return { status: 200, body }
  }

  const port = await listenOnLoopback(server, 0)
  const endpoint: TokenEndpoint = {
    url: `http://127.0.0.1:${port}/token`,
    requests: [],
    paths: [],
    script: [],
    always: undefined,
    knowsClient: async () => true,
    keepsOld: false,
    beforeAnswer: async () => {},
    answer: {},
    accept: refreshToken => void valid.add(refreshToken),
    redeems: refreshToken => !ended && valid.has(refreshToken),
    isEnded: () => ended,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  onTestFinished(() => endpoint.close())
  return endpoint
}

function reply(response: ServerResponse, { status, body, headers = {} }: ScriptedAnswer): void {
  const isText = typeof body === 'string'
  response
    .writeHead(status, { 'content-type': isText ? 'text/html' : 'application/json', ...headers })
    .end(isText ? body : JSON.stringify(body))
}
