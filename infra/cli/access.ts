/** How a call shows who calls: a bearer key or token, or a signature with AWS credentials (SigV4). */

import { createHash, createHmac } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { defaultProvider } from '@aws-sdk/credential-provider-node'
import { SignatureV4 } from '@smithy/signature-v4'
import { ApiError } from './api.ts'
import { exitCodes } from './command.ts'

export interface UnsignedRequest {
  method: string
  url: URL
  headers: Record<string, string>
  body: string | undefined
}

/** @returns the headers to add. @throws ApiError if there is nothing to show */
export type Access = (request: UnsignedRequest) => Promise<Record<string, string>>

export type Environment = Record<string, string | undefined>

/** As `npm start` says it. */
export const defaultUrl = 'http://localhost:4400'

/**
 * AWS where it is asked for or the URL is one of AWS's own; else the token or the key that the environment names;
 * else, on this machine only, the key in the data folder.
 */
export function accessOf(url: string, environment: Environment, { aws }: { aws: boolean }): Access {
  const { POSTROOM_AUTH, POSTROOM_TOKEN, POSTROOM_API_KEY } = environment
  const bearer = POSTROOM_TOKEN || POSTROOM_API_KEY
  if (aws || POSTROOM_AUTH === 'aws' || (isAwsHost(url) && !bearer)) {
    return signedByAws({ region: regionOf(url, environment), credentials: defaultProvider(), now: Date.now })
  }
  if (new URL(url).protocol === 'http:' && !isLoopback(url)) {
    throw new ApiError(`The key would travel in clear to ${url}: use https.`, {
      exitCode: exitCodes.notAllowed,
    })
  }
  return async () => ({ authorization: `Bearer ${bearer ?? (await localKey(url, environment))}` })
}

function isAwsHost(url: string): boolean {
  return new URL(url).hostname.endsWith('.amazonaws.com')
}

/** https://{api}.execute-api.{region}.amazonaws.com names it; behind a domain of one's own the environment does. */
function regionOf(url: string, { AWS_REGION, AWS_DEFAULT_REGION }: Environment): string {
  const region =
    /\.execute-api\.([a-z0-9-]+)\.amazonaws\.com$/.exec(new URL(url).hostname)?.[1] ||
    AWS_REGION ||
    AWS_DEFAULT_REGION
  if (region) return region
  throw new ApiError('Which AWS region? The URL does not name it: set AWS_REGION.', {
    exitCode: exitCodes.notAllowed,
  })
}

async function localKey(url: string, { POSTROOM_DATA }: Environment): Promise<string> {
  // The key of this machine opens this machine's mailboxes: no other host gets to see it.
  if (!isLoopback(url)) {
    throw new ApiError(
      `There is no access to ${url}: set POSTROOM_TOKEN or POSTROOM_API_KEY, or sign with --aws.`,
      { exitCode: exitCodes.notAllowed },
    )
  }
  const file = join(POSTROOM_DATA || '.postroom', 'api-key')
  const key = (await readFile(file, 'utf8').catch(() => '')).trim()
  if (key !== '') return key
  throw new ApiError(`There is no API key: set POSTROOM_API_KEY, or start Postroom once (${file}).`, {
    exitCode: exitCodes.notAllowed,
  })
}

function isLoopback(url: string): boolean {
  return ['localhost', '127.0.0.1', '[::1]'].includes(new URL(url).hostname)
}

/** API Gateway's name in a signature. */
const service = 'execute-api'

/** @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html */
export function signedByAws({
  region,
  credentials,
  now,
}: {
  region: string
  credentials: ConstructorParameters<typeof SignatureV4>[0]['credentials']
  now(): number
}): Access {
  const signer = new SignatureV4({ service, region, credentials, sha256: Sha256 })
  return async ({ method, url, headers, body }) => {
    const query: Record<string, string> = Object.fromEntries(url.searchParams)
    const signed = await signer
      .sign(
        {
          method,
          protocol: url.protocol,
          hostname: url.hostname,
          path: url.pathname,
          query,
          headers: { ...headers, host: url.host },
          body,
        },
        { signingDate: new Date(now()) },
      )
      .catch((error: unknown) => {
        // The chain of providers says what it looked for; it never holds a key.
        throw new ApiError(
          `There are no AWS credentials to sign with: ${error instanceof Error ? error.message : 'unknown'}`,
          { exitCode: exitCodes.notAllowed },
        )
      })
    // fetch sets the host itself, to the same.
    const { host: _, ...signedHeaders } = signed.headers
    return signedHeaders
  }
}

/** What the signer hashes with: Node's own. */
class Sha256 {
  private readonly hash: ReturnType<typeof createHash> | ReturnType<typeof createHmac>

  constructor(secret?: Parameters<typeof createHmac>[1] | ArrayBuffer | ArrayBufferView) {
    this.hash =
      secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret as ArrayBuffer))
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.hash.update(typeof data === 'string' ? data : bytesOf(data))
  }

  async digest(): Promise<Uint8Array> {
    return new Uint8Array(this.hash.digest())
  }

  reset(): void {
    throw new Error('A hash is made anew instead')
  }
}

function bytesOf(data: ArrayBuffer | ArrayBufferView | string): Buffer {
  if (typeof data === 'string') return Buffer.from(data)
  return ArrayBuffer.isView(data)
    ? Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    : Buffer.from(data)
}
