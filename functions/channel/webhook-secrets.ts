/** Signing secrets of webhooks. None is stored: each is what a KMS key makes of the webhook's id and the secret's version. */

import { GenerateMacCommand, KMSClient } from '@aws-sdk/client-kms'
import { PostroomError } from './faults.ts'

/** Who may call the key makes every secret of it; who reads the tables has none. */
export interface WebhookSecrets {
  /** @returns as receivers take it: `whsec_` and 32 bytes in base64 */
  secretOf(webhookId: string, version: number): Promise<string>
}

/** A secret lives in memory no longer than this. */
const cacheMs = 15 * 60_000

export function openWebhookSecrets(services: {
  kms?: KMSClient
  keyArn: string
  now(): number
}): WebhookSecrets {
  const { kms = new KMSClient({}), keyArn, now } = services
  const cache = new Map<string, { secret: Promise<string>; untilMs: number }>()

  async function make(name: string): Promise<string> {
    const { Mac } = await kms.send(
      new GenerateMacCommand({ KeyId: keyArn, MacAlgorithm: 'HMAC_SHA_256', Message: Buffer.from(name) }),
    )
    if (!Mac) throw new PostroomError('secret_unreadable', { evidence: 'KMS gave no MAC' })
    return `whsec_${Buffer.from(Mac).toString('base64')}`
  }

  return {
    secretOf(webhookId, version) {
      const name = `postroom webhook ${webhookId} ${version}`
      const known = cache.get(name)
      if (known && known.untilMs > now()) return known.secret
      const secret = make(name)
      cache.set(name, { secret, untilMs: now() + cacheMs })
      secret.catch(() => cache.delete(name))
      return secret
    },
  }
}
