/** Hands a request to an oidc-provider instance under another path, with headers and body that we chose. */
import { IncomingMessage } from 'node:http'
import type { Provider } from 'oidc-provider'
import type { Exchange } from './http-exchange.ts'

/** The request as the provider shall see it. */
export interface InnerRequest {
  /** Whose connection and response it is. */
  exchange: Exchange
  /** Path and query inside the provider. */
  url: string
  method: string
  headers: IncomingMessage['headers']
  body: Buffer
}

/**
 * Lets the provider answer. The body was read before, to find out which provider it concerns; a fresh request with
 * the same bytes is what the provider's own parser then reads.
 */
export async function passOn(provider: Provider, inner: InnerRequest): Promise<void> {
  const request = new IncomingMessage(inner.exchange.request.socket)
  request.method = inner.method
  request.url = inner.url
  request.headers = { ...inner.headers, 'content-length': String(inner.body.length) }
  request.httpVersion = '1.1'
  // Without this, Node takes the end of the body for an aborted request and closes the caller's connection.
  request.complete = true
  if (inner.body.length > 0) request.push(inner.body)
  request.push(null)
  await provider.callback()(request, inner.exchange.response)
}
