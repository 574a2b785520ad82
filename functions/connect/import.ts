/**
 * Takes over a mailbox whose owner consented elsewhere, by the refresh token of that consent: nobody has to sign in
 * again. It goes the way of a consent (verified id_token, both servers tried, the same activation); only the
 * person at the browser is missing, whom the operator stands for.
 *
 * Nothing is revoked when it fails: the system that the token comes from still lives on it.
 */

import { activate } from '../channel/activation.ts'
import { type Caller, requireOperator } from '../channel/caller.ts'
import { loginCandidates } from '../channel/candidates.ts'
import { type Channel, presentChannel } from '../channel/channels.ts'
import { type Candidate, type ConnectSession, newSession } from '../channel/connect-sessions.ts'
import { asPostroomError, PostroomError } from '../channel/faults.ts'
import type { ImportRequest } from '../channel/grant-endpoints.ts'
import { type HttpAnswer, json } from '../channel/http.ts'
import { verifyIdToken } from '../channel/id-token.ts'
import { derivedId, hashSecret, randomId } from '../channel/identifiers.ts'
import { showValue } from '../channel/input.ts'
import { channelIdOf, emailOf, identityOf, loginOf } from '../channel/login.ts'
import { requireMailScopes } from '../channel/mail-scopes.ts'
import type { OAuthApp } from '../channel/oauth-app.ts'
import { type ProviderEntry, providerOf } from '../channel/provider.ts'
import { refreshGrant } from '../channel/token-endpoint.ts'
import { type CheckServices, checkMailbox, keepFailure } from './check.ts'

/** One that broke off may be begun again after this long; API Gateway gives a whole request 30 seconds. */
const attemptLifeMs = 60_000

/**
 * The same token for the same account is the same import: repeating it finishes what a crash left, or finds the
 * channel. A channel that works is never given another grant.
 * @throws PostroomError those that the endpoint lists (channel/grant-endpoints.ts)
 */
export async function importChannel(
  wanted: ImportRequest,
  { caller, services }: { caller: Caller; services: CheckServices },
): Promise<HttpAnswer> {
  requireOperator(caller)
  const { sessions, providers, apps, channels } = services
  const entry = providerOf(providers, wanted.provider)
  const app = await apps.get(wanted.provider)
  // RFC 6749 6: a refresh token is bound to its client; another one would only be told invalid_grant.
  if (wanted.clientId !== undefined && wanted.clientId !== app.clientId) {
    throw new PostroomError('app_replaced', {
      errors: [{ field: 'clientId', rule: `must be ${app.clientId}`, found: showValue(wanted.clientId) }],
    })
  }
  const id = sessionIdOf(wanted)
  const before = await sessions.find(id)
  const channelId = before?.candidate?.channelId ?? before?.channelId
  const known = before?.state === 'connected' && channelId ? await channels.find(channelId) : undefined
  if (known && known.disconnectedAt === null) return outcome('exists', known)
  if (wanted.dryRun) return outcome('importable', null)
  if (before?.state === 'awaiting_confirmation') return outcome('imported', await activate(before, services))

  const session = await begin(id, before, { wanted, services })
  try {
    return await takeOver(session, { wanted, entry, app, services })
  } catch (thrown) {
    const error = asPostroomError(thrown)
    await keepFailure(session, error, services)
    throw error
  }
}

/** Only a hash of the token goes into it: the id is shown. */
function sessionIdOf({ accountId, provider, sharedMailbox = '', refreshToken }: ImportRequest): string {
  return derivedId('cs', 'import', accountId, provider, sharedMailbox.toLowerCase(), hashSecret(refreshToken))
}

/** One write decides between two imports at once: some providers let a refresh token work once only. */
async function begin(
  id: string,
  before: ConnectSession | undefined,
  { wanted, services }: { wanted: ImportRequest; services: CheckServices },
): Promise<ConnectSession> {
  const { sessions, now } = services
  const { accountId, provider, sharedMailbox = null, fetchSince } = wanted
  if (!before) {
    const since = fetchSince ? new Date(fetchSince).toISOString() : null
    const planned = { accountId, provider, sharedMailbox, fetchSince: since, autoConfirm: true }
    await sessions.create({ ...newSession(planned, now()).session, id })
  }
  const found = before ?? (await sessions.get(id))
  const begun =
    found.state !== 'checking' &&
    (await sessions.move(
      id,
      // One that has expired is stored as what it was.
      { states: ['open', 'checking', 'failed', 'connected'], equals: { expiresAtMs: found.expiresAtMs } },
      { state: 'checking', candidate: null, fault: null, expiresAtMs: now() + attemptLifeMs },
    ))
  if (begun) return begun
  throw new PostroomError('import_running')
}

interface TakeOver {
  wanted: ImportRequest
  entry: ProviderEntry
  app: OAuthApp
  services: CheckServices
}

async function takeOver(session: ConnectSession, { wanted, entry, app, services }: TakeOver) {
  const { sessions, channels, grants, now } = services
  const answer = await refreshGrant({ entry, app, tenantId: null }, wanted.refreshToken)
  if (answer.idToken === null) {
    throw new PostroomError('id_token_missing', {
      errors: [
        {
          field: 'refreshToken',
          rule: 'must have been granted with the scope openid; else only its owner can connect the mailbox',
          found: 'no id_token in the answer',
        },
      ],
    })
  }
  // There was no nonce of ours (OpenID Connect Core 12.2); the answer came from the token endpoint itself.
  const claims = await verifyIdToken(answer.idToken, { entry, app, nonce: null, now: now() })
  requireMailScopes(entry, answer.scope, 'scope_missing')
  const identity = identityOf(entry, claims)
  const candidates = loginCandidates(entry, claims, {
    known: { imap: wanted.login, smtp: wanted.login },
    sharedMailbox: session.sharedMailbox,
  })
  const login = loginOf(entry, claims)
  const email = session.sharedMailbox ?? emailOf(entry, claims)
  requireSameMailbox(wanted, [email, login, emailOf(entry, claims), ...namesIn(entry, claims)])

  const channelId = channelIdOf(
    session.accountId,
    session.provider,
    identity,
    session.sharedMailbox ?? undefined,
  )
  const known = await channels.find(channelId)
  if (known && isWell(known)) {
    await sessions.move(session.id, { states: ['checking'] }, { state: 'connected', channelId })
    return outcome('exists', known)
  }

  const grantId = randomId('gr')
  const refreshToken = answer.refreshToken ?? wanted.refreshToken
  await grants.create({ grantId, accountId: session.accountId, channelId }, { ...answer, refreshToken })
  const candidate: Candidate = {
    channelId,
    grantId,
    identity,
    email,
    displayName: typeof claims.name === 'string' && claims.name.trim() !== '' ? claims.name.trim() : null,
    login: { imap: session.sharedMailbox ?? login, smtp: login },
    clientId: app.clientId,
    candidates,
    access: null,
  }
  // With the channel's id in it, whoever ends this session revokes nothing.
  const checking = await sessions.move(session.id, { states: ['checking'] }, { candidate, channelId })
  if (!checking) throw new PostroomError('import_running')
  await checkMailbox(checking, services)
  return outcome('imported', await channels.get(channelId))
}

function isWell({ disconnectedAt, auth }: Channel): boolean {
  return disconnectedAt === null && auth.state === 'connected'
}

function namesIn(entry: ProviderEntry, claims: Record<string, unknown>): string[] {
  return [...entry.loginClaims, 'email'].map(name => String(claims[name] ?? ''))
}

/** A token in the wrong row would open another person's mailbox under this one's name. */
function requireSameMailbox({ email, login, sharedMailbox }: ImportRequest, names: string[]): void {
  const known = new Set(names.map(name => name.toLowerCase()))
  if ([email, login].some(name => name !== undefined && known.has(name.toLowerCase()))) return
  throw new PostroomError('identity_mismatch', {
    errors: [
      {
        field: 'email',
        rule: `must be the mailbox of the token, which is ${names[0]}${sharedMailbox ? '' : ', or come with sharedMailbox'}`,
        found: showValue(email),
      },
    ],
  })
}

function outcome(state: 'imported' | 'exists' | 'importable', channel: Channel | null): HttpAnswer {
  return json(200, { state, channel: channel && presentChannel(channel) })
}
