/** Reads the OAuth apps' credentials from Secrets Manager; the only file that does. */

import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { bySecret, type ClientCredentials } from './client-credential.ts'
import { PostroomError } from './faults.ts'
import { parseInput } from './input.ts'
import { type ConfiguredApp, type OAuthApp, oauthAppsSchema } from './oauth-app.ts'

export interface OAuthApps {
  /** @throws PostroomError `configuration_invalid` if the secret is not readable or has no such app */
  get(provider: string): Promise<OAuthApp>
  /** How all are configured, by provider. Holds secrets: nothing of it may be shown as it is. */
  all(): Promise<Record<string, ConfiguredApp>>
}

/** A rotated client secret is in use everywhere after this long. */
const cacheMs = 5 * 60_000

export function openOAuthApps(services: {
  client?: SecretsManagerClient
  secretArn: string
  credentials: ClientCredentials
  now(): number
}): OAuthApps {
  const { client = new SecretsManagerClient({}), secretArn, credentials, now } = services
  let cached: { apps: Promise<Record<string, ConfiguredApp>>; untilMs: number } | undefined

  async function load(): Promise<Record<string, ConfiguredApp>> {
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: secretArn }))
    try {
      return parseInput(oauthAppsSchema, JSON.parse(SecretString ?? ''), 'configuration_invalid')
    } catch (cause) {
      // Nothing of the text may travel, wherever in it a secret was put by mistake; JSON.parse quotes what it cannot read.
      const faults =
        cause instanceof PostroomError
          ? cause.errors.map(({ field, rule }) => ({ field: `OAuthApps.${field}`, rule }))
          : [{ field: 'OAuthApps', rule: 'must be JSON in the format of POSTROOM_APPS' }]
      throw new PostroomError('configuration_invalid', {
        errors: faults.map(fault => ({ ...fault, found: '(not shown)' })),
      })
    }
  }

  function all(): Promise<Record<string, ConfiguredApp>> {
    if (cached && cached.untilMs > now()) return cached.apps
    const apps = load()
    cached = { apps, untilMs: now() + cacheMs }
    apps.catch(() => {
      cached = undefined
    })
    return apps
  }

  return {
    all,

    async get(provider) {
      const app = (await all())[provider]
      if (app) {
        const { clientId, tenant, previousClientSecret } = app
        return {
          clientId,
          tenant,
          authenticate: credentials.of(app),
          ...(previousClientSecret && { authenticateAsBefore: bySecret(previousClientSecret) }),
        }
      }
      throw new PostroomError('configuration_invalid', {
        errors: [
          { field: `OAuthApps.${provider}`, rule: 'must hold clientId and a credential', found: 'nothing' },
        ],
      })
    },
  }
}
