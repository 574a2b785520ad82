/** The one token broker, for sending, fetching and probing alike: an access token that is good now. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { JWTPayload } from 'jose'
import type { Admission, AppBreaker } from './app-breaker.ts'
import { isAppFault } from './app-faults.ts'
import type { Channel, Channels } from './channels.ts'
import { asPostroomError, PostroomError } from './faults.ts'
import type { GrantOwner, Grants, StoredGrant } from './grant.ts'
import { verifyIdToken } from './id-token.ts'
import { hashSecret, randomId } from './identifiers.ts'
import type { OAuthApps } from './oauth-apps.ts'
import { type Providers, providerOf } from './provider.ts'
import { noteLoginName } from './renamed-login.ts'
import { namedByAge } from './testing-app.ts'
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
  /**
   * Refreshes in any case, and verifies the id_token that comes with it, where one does: its claims are
   * fresh, so that a renamed login shows (row S9).
   */
  freshSignIn(channel: Channel): Promise<FreshToken>
}

interface FreshToken {
  accessToken: string
  claims: JWTPayload | null
  /** What is granted now; null where the provider does not say. */
  scope: string | null
}

/** A rotated refresh token exists only in our memory until it is saved: try long. */
const saveForMs = 20_000
/** A lease outlives the call and the save made under it, so that a refresh token is never shown twice. */
const leaseMs = tokenTimeoutMs + saveForMs + 15_000
/** How long a loser waits for the winner's token, and how often it looks. */
const waitForWinnerMs = 5_000
const lookEveryMs = 200
/** With less life left than this, an old token is not worth trying. */
const usableMs = 60_000

export interface TokenServices {
  channels: Channels
  grants: Grants
  apps: OAuthApps
  providers: Providers
  breaker: AppBreaker
  now(): number
  /** Longest wait for the token endpoint, at most the usual one: the lease is as long as that wants. */
  timeoutMs?: number
}

/** Which token will do: any that is good, any but the one just refused, or only one fetched now. */
type Wanted = { kind: 'good' } | { kind: 'other'; refused: string } | { kind: 'fresh' }

interface Obtained {
  accessToken: string
  /** Null where the provider sends none with a refresh, and where somebody else refreshed. */
  idToken: string | null
  scope: string | null
  /** False if the token is another refresh's, whose id_token we have not seen. */
  isOurs: boolean
}

/** Losing the race for the lease this often in a row means somebody refreshes without end. */
const freshTries = 3

export function openTokens(services: TokenServices): Tokens {
  const { apps, providers, now } = services
  const inFlight = new Map<string, Promise<Obtained>>()

  /** Callers in this process who want the same channel's token share one refresh. */
  function once(channel: Channel, wanted: Wanted): Promise<Obtained> {
    // Callers who were refused different tokens want different things.
    const refused = wanted.kind === 'other' ? hashSecret(wanted.refused) : ''
    const key = `${channel.grantId} ${wanted.kind} ${refused}`
    const running = inFlight.get(key)
    if (running) return running
    const started = obtain(channel, wanted, services).finally(() => inFlight.delete(key))
    inFlight.set(key, started)
    return started
  }

  return {
    accessToken: async channel => (await once(channel, { kind: 'good' })).accessToken,
    tokenAfterRefusal: async (channel, refused) =>
      (await once(channel, { kind: 'other', refused })).accessToken,

    async freshSignIn(channel) {
      let obtained = await once(channel, { kind: 'fresh' })
      // Without fresh claims a renamed login would look like a refused one, so a lost race is run again.
      for (let tries = 1; !obtained.isOurs; tries++) {
        if (tries === freshTries) throw new PostroomError('token_save_lost')
        obtained = await once(channel, { kind: 'fresh' })
      }
      const { accessToken, idToken, scope } = obtained
      const entry = providerOf(providers, channel.provider)
      const app = await apps.get(channel.provider)
      const claims = idToken && (await verifyIdToken(idToken, { entry, app, nonce: null, now: now() }))
      return { accessToken, claims: claims || null, scope }
    },
  }
}

async function obtain(channel: Channel, wanted: Wanted, services: TokenServices): Promise<Obtained> {
  const { grants, breaker, now } = services
  const owner: GrantOwner = { grantId: channel.grantId, accountId: channel.accountId, channelId: channel.id }
  const grant = await grants.read(owner)
  if (grant.ttl !== undefined) await grants.claim(owner)

  if (grant.refreshAtMs > now()) {
    const accessToken = await wantedToken(owner, { grant, wanted }, services)
    if (accessToken !== null) return notOurs(accessToken)
  }
  try {
    const admission = await breaker.admit(channel)
    const holder = randomId('lease')
    const untilMs = now() + leaseMs
    const leased = await grants.lease(owner, { version: grant.version, holder, untilMs })
    if (!leased) return notOurs(await winnersToken(owner, { grant, wanted }, services))
    const obtained = await refresh(channel, { owner, grant, holder, untilMs, admission }, services)
    // Whoever wants a fresh sign-in looks into its claims itself.
    if (obtained.idToken && wanted.kind !== 'fresh') await noteLoginName(channel, obtained.idToken, services)
    return obtained
  } catch (thrown) {
    // Refreshed ahead of time: while that fails for a passing reason, the old token serves for as long as it lives.
    if (asPostroomError(thrown).row.action === 'reconnect') throw thrown
    const accessToken = await usableToken(owner, { grant, wanted }, services)
    if (accessToken === null) throw thrown
    return notOurs(accessToken)
  }
}

const notOurs = (accessToken: string): Obtained => ({
  accessToken,
  idToken: null,
  scope: null,
  isOurs: false,
})

interface Sought {
  grant: StoredGrant
  wanted: Wanted
}

/** The grant's access token, or null if it will not do. */
async function wantedToken(
  owner: GrantOwner,
  { grant, wanted }: Sought,
  { grants }: TokenServices,
): Promise<string | null> {
  if (wanted.kind === 'fresh') return null
  const accessToken = await grants.openAccessToken(owner, grant)
  return wanted.kind === 'other' && accessToken === wanted.refused ? null : accessToken
}

/** As above, and null also if it is about to end. */
async function usableToken(
  owner: GrantOwner,
  sought: Sought,
  services: TokenServices,
): Promise<string | null> {
  return sought.grant.expiresAtMs - services.now() > usableMs ? wantedToken(owner, sought, services) : null
}

/** Somebody else refreshes: the old token will do for as long as it lives, else wait for theirs. */
async function winnersToken(owner: GrantOwner, sought: Sought, services: TokenServices): Promise<string> {
  const { grants, now } = services
  const old = await usableToken(owner, sought, services)
  if (old !== null) return old
  const deadlineMs = now() + waitForWinnerMs
  while (now() < deadlineMs) {
    await sleep(lookEveryMs)
    const grant = await grants.read(owner)
    if (grant.version !== sought.grant.version) return grants.openAccessToken(owner, grant)
  }
  throw new PostroomError('token_save_lost')
}

interface Leased {
  owner: GrantOwner
  grant: StoredGrant
  holder: string
  untilMs: number
  admission: Admission
}

async function refresh(channel: Channel, leased: Leased, services: TokenServices): Promise<Obtained> {
  const { grants, apps, providers, breaker, now } = services
  const { owner, grant, holder, untilMs, admission } = leased
  try {
    const app = await apps.get(channel.provider)
    // RFC 6749 6: a refresh token is bound to its client; another one would only be told invalid_grant.
    if (app.clientId !== channel.clientId) throw new PostroomError('app_replaced')
    const { refreshToken } = await grants.open(owner, grant)
    await grants.prepareSave()
    // Slowed down until the lease may end before the answer is saved: whoever comes next must find it unspent.
    if (untilMs - now() < tokenTimeoutMs + saveForMs) throw new PostroomError('token_save_lost')
    const request = {
      entry: providerOf(providers, channel.provider),
      app,
      tenantId: channel.identity.tid ?? null,
      timeoutMs: services.timeoutMs,
    }
    const answer = await refreshGrant(request, refreshToken)
    // Saved before it is used: a crash now must not lose a refresh token that was rotated.
    const refreshed = { answer, refreshToken: answer.refreshToken ?? refreshToken, previous: grant, holder }
    const saved = await saveHard(() => grants.save(owner, refreshed), now)
    await breaker.accepted(admission)
    if (!saved) return notOurs(await grants.openAccessToken(owner, await grants.read(owner)))
    const { accessToken, idToken, scope } = answer
    return { accessToken, idToken, scope, isOurs: true }
  } catch (thrown) {
    const error = asPostroomError(thrown)
    // A refresh token that somebody rotated under us looks revoked: look again before believing it.
    const latest = await grants.read(owner)
    if (latest.version !== grant.version) return notOurs(await grants.openAccessToken(owner, latest))
    await grants.release(owner, holder)
    if (isAppFault(error)) await breaker.refused(channel, admission, error)
    if (isAboutGrant(error)) await breaker.accepted(admission)
    throw namedByAge(error, channel, providerOf(providers, channel.provider), now())
  }
}

/** The endpoint has looked past the app and has judged the grant. */
function isAboutGrant({ row: { action, actor } }: PostroomError): boolean {
  return action === 'reconnect' || (action === 'park' && actor === 'tenant_admin')
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
