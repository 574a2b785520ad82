/** A JWKS endpoint over HTTP whose keys a test can rotate, and the id_tokens signed with them. */

import { createServer } from 'node:http'
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose'
import { onTestFinished } from 'vitest'
import { listenOnLoopback } from '../../infra/local/loopback.ts'

/** Entra publishes with each key whose it is. */
type PublishedKey = JWK & { issuer?: string }

export interface SigningKeysEndpoint {
  origin: string
  jwksUri: string
  /** What it publishes now. */
  keys: PublishedKey[]
  /** The next answers get these instead. */
  script: { status: number; body: string }[]
  /** Signs with the newest key. */
  sign(claims: JWTPayload): Promise<string>
  /** Makes a new key and publishes that one only. */
  rotate(): Promise<void>
  requests: number
  close(): Promise<void>
}

/** Making an RSA key takes a tenth of a second: the endpoints of one file begin with the same one. */
const firstPair = generateKeyPair('RS256')

/** Starts one that ends with the test. */
export async function startSigningKeys(): Promise<SigningKeysEndpoint> {
  const server = createServer((_request, response) => {
    endpoint.requests += 1
    const scripted = endpoint.script.shift()
    response
      .writeHead(scripted?.status ?? 200, { 'content-type': 'application/json' })
      .end(scripted?.body ?? JSON.stringify({ keys: endpoint.keys }))
  })
  const origin = `http://127.0.0.1:${await listenOnLoopback(server, 0)}`
  const first = await firstPair
  let kid = 1
  let { privateKey } = first

  const endpoint: SigningKeysEndpoint = {
    origin,
    jwksUri: `${origin}/keys`,
    keys: [await published(first.publicKey, kid)],
    script: [],
    requests: 0,
    sign: claims =>
      new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: `key-${kid}` }).sign(privateKey),
    async rotate() {
      const pair = await generateKeyPair('RS256')
      privateKey = pair.privateKey
      kid += 1
      endpoint.keys = [await published(pair.publicKey, kid)]
    },
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  onTestFinished(() => endpoint.close())
  return endpoint
}

async function published(key: Parameters<typeof exportJWK>[0], kid: number): Promise<PublishedKey> {
  return { ...(await exportJWK(key)), kid: `key-${kid}`, alg: 'RS256', use: 'sig' }
}
