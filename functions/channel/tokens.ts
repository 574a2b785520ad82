/** The one token broker, for sending, fetching and probing alike: an access token that is good now. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Channel } from './channels.ts'
import { asPostroomError, PostroomError } from './faults.ts'
import type { GrantOwner, Grants, StoredGrant } from './grant.ts'
import { randomId } from './identifiers.ts'
import type { OAuthApps } from './oauth-apps.ts'
import { type Providers, providerOf } from './provider.ts'
import { refreshGrant, tokenTimeoutMs } from './token-endpoint.ts'

export interface Tokens {
  /**
   * @returns an access token; opaque, never parsed (row S11)
   * @throws PostroomError `grant_revoked`, `app_credentials_refused`, `provider_unreachable`,
   *   `provider_throttled`, `token_save_lost`, `secret_unreadable`
   */
  accessToken(channel: Channel): Promise<string>
  /** As above, but never the token that a server has just refused. */
  tokenAfterRefusal(channel: Channel, refused: string): Promise<string>
}

/** A lease outlives the call made under it, so that two refreshes never overlap. */
const leaseMs = 2 * tokenTimeoutMs
/** How long a loser waits for the winner's token, and how often it looks. */
const waitForWinnerMs = 5_000
const lookEveryMs = 200
/** With less life left than this, an old token is not worth trying. */
const usableMs = 60_000
/** A rotated refresh token exists only in our memory until it is saved: try long. */
const saveForMs = 20_000

export interface TokenServices {
  grants: Grants
  apps: OAuthApps
  providers: Providers
  now(): number
}

export function openTokens(services: TokenServices): Tokens {
  const inFlight = new Map<string, Promise<string>>()

  /** Callers in this process who want the same channel's token share one refresh. */
  function once(channel: Channel, refused: string | null): Promise<string> {
    const key = `${channel.grantId} ${refused === null}`
    const running = inFlight.get(key)
    if (running) return running
    const started = obtain(channel, refused, services).finally(() => inFlight.delete(key))
    inFlight.set(key, started)
    return started
  }

  return {
    accessToken: channel => once(channel, null),
    tokenAfterRefusal: (channel, refused) => once(channel, refused),
  }
}

async function obtain(channel: Channel, refused: string | null, services: TokenServices): Promise<string> {
  const { grants, now } = services
  const owner: GrantOwner = { grantId: channel.grantId, accountId: channel.accountId, channelId: channel.id }
  const grant = await grants.read(owner)
  if (grant.ttl !== undefined) await grants.claim(owner)

  if (grant.refreshAtMs > now()) {
    const { accessToken } = await grants.open(owner, grant)
    if (accessToken !== refused) return accessToken
  }

  const holder = randomId('lease')
  const leased = await grants.lease(owner, { version: grant.version, holder, untilMs: now() + leaseMs })
  if (!leased) return winnersToken(owner, grant, refused, services)
  return refresh(channel, { owner, grant, refused, holder }, services)
}

/** Somebody else refreshes: wait for theirs, or use the old token for as long as it lives. */
async function winnersToken(
  owner: GrantOwner,
  old: StoredGrant,
  refused: string | null,
  { grants, now }: TokenServices,
): Promise<string> {
  const deadlineMs = now() + waitForWinnerMs
  while (now() < deadlineMs) {
    await sleep(lookEveryMs)
    const grant = await grants.read(owner)
    if (grant.version !== old.version) return (await grants.open(owner, grant)).accessToken
  }
  const { accessToken } = await grants.open(owner, old)
  if (old.expiresAtMs - now() > usableMs && accessToken !== refused) return accessToken
  throw new PostroomError('token_save_lost')
}

interface Leased {
  owner: GrantOwner
  grant: StoredGrant
  refused: string | null
  holder: string
}

async function refresh(channel: Channel, leased: Leased, services: TokenServices): Promise<string> {
  const { grants, apps, providers, now } = services
  const { owner, grant, refused, holder } = leased
  const current = await grants.open(owner, grant)
  try {
    const answer = await refreshGrant(
      {
        entry: providerOf(providers, channel.provider),
        app: await apps.get(channel.provider),
        tenantId: channel.identity.tid ?? null,
      },
      current.refreshToken,
    )
    // Saved before it is used: a crash now must not lose a refresh token that was rotated.
    if (await saveHard(() => grants.save(owner, { answer, previous: grant, holder }), now)) {
      return answer.accessToken
    }
    return (await grants.open(owner, await grants.read(owner))).accessToken
  } catch (thrown) {
    const error = asPostroomError(thrown)
    // A refresh token that somebody rotated under us looks revoked: look again before believing it.
    const latest = await grants.read(owner)
    if (latest.version !== grant.version) return (await grants.open(owner, latest)).accessToken
    await grants.release(owner, holder)
    const worksStill = grant.expiresAtMs - now() > usableMs && current.accessToken !== refused
    if (worksStill && error.row.action !== 'reconnect') return current.accessToken
    throw error
  }
}

async function saveHard(save: () => Promise<boolean>, now: () => number): Promise<boolean> {
  const deadlineMs = now() + saveForMs
  for (let pauseMs = 50; ; pauseMs *= 2) {
    try {
      return await save()
    } catch (error) {
      if (now() + pauseMs > deadlineMs) throw error
      await sleep(pauseMs)
    }
  }
}
