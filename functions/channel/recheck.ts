/** Finds out anew how a channel's mail servers know it, and stores what works. Safe on a live channel (rows S8–S10). */

import { authOf, judgeProbe, nextProbeAt, settingBehind } from './access.ts'
import { type Candidates, loginCandidates, paced, triedAfter } from './candidates.ts'
import type { Channel, ChannelChange, Channels } from './channels.ts'
import { isProven } from './doubt.ts'
import { faults, PostroomError } from './faults.ts'
import type { Health } from './health.ts'
import { emailOf, identityOf } from './login.ts'
import { requireMailScopes } from './mail-scopes.ts'
import { lastAnswer, type Probe, type Protocol, probeMailbox } from './probe.ts'
import { type ProviderEntry, type Providers, providerOf } from './provider.ts'
import { proveSendAs } from './send-as-proof.ts'
import type { Tokens } from './tokens.ts'

export interface RecheckServices {
  channels: Channels
  tokens: Tokens
  providers: Providers
  health: Health
  now(): number
}

export interface Recheck {
  channel: Channel
  before: Channel['login']
  after: Channel['login']
  probe: Probe
}

/** Longest silence of a server before the probe goes on without its verdict. */
const timeoutMs = 5_000

/**
 * At a person's wish: every name is tried at once.
 * @param options.tryAll also asks about names after one was accepted, to show a person the difference
 * @param options.dryRun changes nothing
 * @throws PostroomError of the broker, `account_changed` if the grant is somebody else’s, `mailbox_unusable`
 */
export async function recheck(
  channel: Channel,
  options: { tryAll: boolean; dryRun: boolean },
  services: RecheckServices,
): Promise<Recheck> {
  const { entry, accessToken, candidates, email } = await freshSignIn(channel, services)
  const signedIn = await probeMailbox({ entry, accessToken, candidates, timeoutMs, tryAll: options.tryAll })
  const probe = await provenAsBefore(channel, signedIn, { entry, accessToken, now: services.now })
  const { login, access } = judgeProbe(probe, channel.login, channel.access)
  if (options.dryRun) return { channel, before: channel.login, after: login, probe }
  const change = { email, login, ...healthAfter(channel, access, probe, services.now()) }
  const updated = await services.health.proven(channel, change, worksIn(probe))
  return { channel: updated, before: channel.login, after: login, probe }
}

/** What kept a server from giving a verdict may be over by then. */
const verdictAgainMs = 30 * 60_000

/**
 * While a setting blocks one protocol, it is tried again by itself; so is a mailbox whose owner the provider has given
 * another name. Only what works now changes anything.
 * @throws PostroomError of the broker, `account_changed`
 */
export async function lookAgain(channel: Channel, services: RecheckServices): Promise<Channel> {
  const { probe, change } = await pacedProbe(channel, services)
  const isOpen = !probe.imap.isConclusive || !probe.smtp.isConclusive
  const later = isOpen ? new Date(services.now() + verdictAgainMs).toISOString() : null
  const looked = { ...change, nextProbeAt: change.nextProbeAt ?? later }
  return services.health.proven(channel, looked, worksIn(probe))
}

/**
 * A server has refused the sign-in in the middle of work. Before that counts, it is looked into: with a fresh
 * token, against the account the grant speaks for, under the names a fresh id_token gives (slowly, since servers
 * count refused names), and by asking the other server what it thinks of the same token.
 * @returns the channel, healed: the sign-in works under `login`
 * @throws PostroomError the refusal itself while it may be a bad hour of the server's; `sign_in_unsettled` while
 *   names are left to try; `sign_in_refused`, or a setting that is in the way; or that of a broker in trouble
 */
export async function settleRefusal(
  channel: Channel,
  { protocol, refusal }: { protocol: Protocol; refusal: PostroomError },
  services: RecheckServices,
): Promise<Channel> {
  const isSettled = refusal.row.action !== 'heal' || !isProven(channel, protocol, refusal, services.now())
  if (isSettled) throw refusal
  const { probe, change, isLeft } = await pacedProbe(channel, services)
  const own = probe[protocol]
  if (own.login !== null) return services.health.proven(channel, change, worksIn(probe))

  await services.channels.change(
    channel.id,
    { tried: change.tried },
    { equals: { grantId: channel.grantId } },
  )
  const evidence = lastAnswer(own)
  const other = probe[protocol === 'imap' ? 'smtp' : 'imap']
  // Whichever server asked us to stay away: the next look would ask both again.
  const retryAfterMs = own.retryAfterMs ?? other.retryAfterMs
  const fail = (code: PostroomError['code']) =>
    new PostroomError(code, { cause: refusal, evidence, retryAfterMs })
  // An outage meanwhile, or a setting that is named now: that is what is in the way.
  if (own.fault && faults[own.fault.code].action !== 'heal') throw fail(own.fault.code)
  if (isLeft[protocol] || !other.isConclusive) throw fail('sign_in_unsettled')
  // The same token opens the other server: the grant is good, and something else is in the way.
  if (other.login !== null) throw fail(settingBehind(protocol, own.fault?.code ?? refusal.code))
  throw fail(isLeft[protocol === 'imap' ? 'smtp' : 'imap'] ? 'sign_in_unsettled' : 'sign_in_refused')
}

function worksIn({ imap, smtp }: Probe): Record<Protocol, boolean> {
  return { imap: imap.login !== null, smtp: smtp.login !== null }
}

interface PacedProbe {
  probe: Probe
  /** What the probe has improved; what it has not is left as it was. */
  change: ChannelChange & Pick<Channel, 'tried'>
  /** Whether names are left that were not tried yet. */
  isLeft: Record<Protocol, boolean>
}

async function pacedProbe(channel: Channel, services: RecheckServices): Promise<PacedProbe> {
  const { now } = services
  const { entry, accessToken, candidates, email } = await freshSignIn(channel, services)
  const { names, isLeft } = paced(channel, candidates, now())
  const signedIn = await probeMailbox({ entry, accessToken, candidates: names, timeoutMs })
  const probe = await provenAsBefore(channel, signedIn, { entry, accessToken, now })
  const ok = { state: 'ok' as const, fault: null }
  const { imap, smtp } = probe
  const login = { imap: imap.login ?? channel.login.imap, smtp: smtp.login ?? channel.login.smtp }
  const access = {
    imap: imap.login === null ? channel.access.imap : ok,
    smtp: smtp.login === null ? channel.access.smtp : ok,
  }
  const tried = triedAfter(channel, probe, now())
  const change = { email, login, ...healthAfter(channel, access, probe, now()), tried }
  return { probe, change, isLeft }
}

/** Signing in always worked where it was the From address that was refused: only another mail tells. */
async function provenAsBefore(
  channel: Channel,
  probe: Probe,
  { entry, accessToken, now }: { entry: ProviderEntry; accessToken: string; now(): number },
): Promise<Probe> {
  if (channel.access.smtp.fault?.code !== 'send_as_denied') return probe
  const { email } = channel
  return proveSendAs(probe, { entry, accessToken, email, timeoutMs, now: new Date(now()) })
}

function healthAfter(channel: Channel, access: Channel['access'], { imap, smtp }: Probe, nowMs: number) {
  const isProof = imap.login !== null || smtp.login !== null
  // Servers that are away prove nothing, in neither direction.
  const auth = isProof ? authOf(access, new Date(nowMs).toISOString()) : channel.auth
  return { access, auth, nextProbeAt: nextProbeAt(access, nowMs) }
}

interface FreshSignIn {
  entry: ProviderEntry
  accessToken: string
  candidates: Candidates
  /** The mailbox's address, as far as it is known anew. */
  email: string
}

async function freshSignIn(channel: Channel, { tokens, providers }: RecheckServices): Promise<FreshSignIn> {
  const entry = providerOf(providers, channel.provider)
  const { accessToken, claims, scope } = await tokens.freshSignIn(channel)
  requireSameIdentity(channel, claims && identityOf(entry, claims), claims && emailOf(entry, claims))
  requireMailScopes(entry, scope, 'scope_withdrawn')
  // The stored address stands in where the provider sends no id_token with a refresh.
  const candidates = loginCandidates(entry, claims ?? {}, {
    known: channel.login,
    sharedMailbox: channel.sharedMailbox,
    email: channel.email,
  })
  // Where the account has no address of its own, the login is the address, and is renamed with it.
  const isNamedByLogin = claims !== null && channel.email === channel.login.smtp
  return { entry, accessToken, candidates, email: isNamedByLogin ? emailOf(entry, claims) : channel.email }
}

/** A grant that now speaks for another account must not be used for this channel's mail (decision 12). */
function requireSameIdentity(
  channel: Channel,
  identity: Channel['identity'] | null,
  email: string | null,
): void {
  if (identity === null) return
  const isSame = Object.entries(channel.identity).every(([name, value]) => identity[name] === value)
  if (isSame) return
  throw new PostroomError('account_changed', {
    errors: [{ field: 'account', rule: `must be ${channel.email}`, found: email ?? 'another' }],
  })
}
