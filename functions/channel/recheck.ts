/** Finds out anew how a channel's mail servers know it, and stores what works. Safe on a live channel (rows S8–S10). */

import { authOf, judgeProbe, nextProbeAt } from './access.ts'
import { loginCandidates } from './candidates.ts'
import type { Channel, ChannelChange, Channels } from './channels.ts'
import { PostroomError } from './faults.ts'
import type { Health } from './health.ts'
import { emailOf, identityOf } from './login.ts'
import { type Probe, probeMailbox } from './probe.ts'
import { type Providers, providerOf } from './provider.ts'
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
 * @param options.tryAll also asks about names after one was accepted, to show a person the difference
 * @param options.dryRun changes nothing
 * @throws PostroomError of the broker, `identity_mismatch` if the grant is somebody else's, `mailbox_unusable`
 */
export async function recheck(
  channel: Channel,
  options: { tryAll: boolean; dryRun: boolean },
  services: RecheckServices,
): Promise<Recheck> {
  const { tokens, providers, now } = services
  const entry = providerOf(providers, channel.provider)
  const { accessToken, claims } = await tokens.freshSignIn(channel)
  requireSameIdentity(channel, claims && identityOf(entry, claims), claims && emailOf(entry, claims))

  const { sharedMailbox } = channel
  // An old id_token's names stand in where the provider sends none with a refresh.
  const names = claims ?? { email: channel.email }
  const candidates = loginCandidates(entry, names, { known: channel.login, sharedMailbox })
  const probe = await probeMailbox({
    entry,
    accessToken,
    candidates,
    timeoutMs,
    tryAll: options.tryAll,
  })
  const { login, access } = judgeProbe(probe, channel.login)
  if (options.dryRun) return { channel, before: channel.login, after: login, probe }

  const since = new Date(now()).toISOString()
  const change: ChannelChange = {
    // Where the account has no address of its own, the login is the address, and is renamed with it.
    email: claims && channel.email === channel.login.smtp ? emailOf(entry, claims) : channel.email,
    login,
    access,
    auth: authOf(access, since),
    nextProbeAt: nextProbeAt(access, now()),
  }
  const updated = await services.health.proven(channel, change)
  return { channel: updated, before: channel.login, after: login, probe }
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
  throw new PostroomError('identity_mismatch', {
    errors: [{ field: 'account', rule: `must be ${channel.email}`, found: email ?? 'another' }],
  })
}

/**
 * As `recheck`, for a server's refusal in the middle of work: that nothing lets the account in, or that it is
 * another account now, is then the proof that the login is broken.
 * @throws PostroomError `sign_in_refused`, with what the probe found as cause; or that of a broker in trouble
 */
export async function recheckAfterRefusal(
  channel: Channel,
  refusal: PostroomError,
  services: RecheckServices,
): Promise<Recheck> {
  try {
    return await recheck(channel, { tryAll: false, dryRun: false }, services)
  } catch (thrown) {
    const isProof =
      thrown instanceof PostroomError &&
      (thrown.code === 'mailbox_unusable' || thrown.code === 'identity_mismatch')
    if (!isProof) throw thrown
    throw new PostroomError('sign_in_refused', {
      cause: thrown,
      evidence: thrown.evidence ?? refusal.evidence,
    })
  }
}
