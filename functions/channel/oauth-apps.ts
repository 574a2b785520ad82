/** Reads the OAuth apps' credentials from Secrets Manager; the only file that does. */

import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { PostroomError } from './faults.ts'
import { parseInput } from './input.ts'
import { type OAuthApp, oauthAppsSchema } from './provider.ts'

export interface OAuthApps {
  /** @throws PostroomError `configuration_invalid` if the secret is not readable or has no such app */
  get(provider: string): Promise<OAuthApp>
}

/** A rotated client secret is in use everywhere after this long. */
const cacheMs = 5 * 60_000

export function openOAuthApps(services: {
  client: SecretsManagerClient
  secretArn: string
  now(): number
}): OAuthApps {
  const { client, secretArn, now } = services
  let cached: { apps: Promise<Record<string, OAuthApp>>; untilMs: number } | undefined

  async function load(): Promise<Record<string, OAuthApp>> {
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: secretArn }))
    try {
      return parseInput(oauthAppsSchema, JSON.parse(SecretString ?? ''), 'configuration_invalid')
    } catch (cause) {
      // The text itself must not travel: JSON.parse quotes what it could not read.
      if (cause instanceof PostroomError) throw cause
      throw new PostroomError('configuration_invalid', {
        errors: [
          { field: 'OAuthApps', rule: 'must be JSON in the format of POSTROOM_APPS', found: '(not shown)' },
        ],
      })
    }
  }

  return {
    async get(provider) {
      if (!cached || cached.untilMs <= now()) {
        const apps = load()
        cached = { apps, untilMs: now() + cacheMs }
        apps.catch(() => {
          cached = undefined
        })
      }
      const app = (await cached.apps)[provider]
      if (app) return app
      throw new PostroomError('configuration_invalid', {
        errors: [
          { field: `OAuthApps.${provider}`, rule: 'must hold clientId and clientSecret', found: 'nothing' },
        ],
      })
    },
  }
}
