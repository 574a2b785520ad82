/** What a probe means for a channel: which protocols may be used, under which names, and who must act for the rest. */

import type { Channel } from './channels.ts'
import { describeFault, type FaultCode, faults, PostroomError } from './faults.ts'
import type { Probe, Protocol, ProtocolProbe } from './probe.ts'

export interface Judgement {
  login: Channel['login']
  access: Channel['access']
}

/**
 * What works is kept, what does not is named. A server that gave no verdict leaves the name as it was: the
 * next mail will tell.
 * @param presumed the names to keep where the probe proved none
 * @throws PostroomError `mailbox_unusable` if both servers gave a verdict and neither lets the account in
 */
export function judgeProbe(probe: Probe, presumed: Channel['login']): Judgement {
  const { imap, smtp } = probe
  if (isRefused(imap) && isRefused(smtp)) {
    throw new PostroomError('mailbox_unusable', {
      evidence: `IMAP: ${lastAnswer(imap)}; SMTP: ${lastAnswer(smtp)}`,
    })
  }
  return {
    login: { imap: imap.login ?? presumed.imap, smtp: smtp.login ?? presumed.smtp },
    access: { imap: accessOf('imap', imap), smtp: accessOf('smtp', smtp) },
  }
}

function isRefused({ login, isConclusive }: ProtocolProbe): boolean {
  return login === null && isConclusive
}

function lastAnswer({ attempts }: ProtocolProbe): string {
  return attempts.at(-1)?.answer ?? 'no answer'
}

function accessOf(protocol: Protocol, probe: ProtocolProbe): Channel['access'][Protocol] {
  if (!isRefused(probe) || probe.fault === null) return { state: 'ok', fault: null }
  // The same token opens the other protocol: not the grant is broken, a setting is in the way.
  const setting = settingBehind(protocol, probe.fault.code)
  const fault = setting
    ? describeFault(new PostroomError(setting, { evidence: lastAnswer(probe) }))
    : probe.fault
  return { state: 'blocked', fault }
}

function settingBehind(protocol: Protocol, refusal: FaultCode): FaultCode | null {
  if (refusal === 'imap_not_connected') return 'imap_disabled'
  return faults[refusal].action === 'heal' ? `${protocol}_refuses_login` : null
}

/** The channel's `auth` as far as settings decide it. */
export function authOf(access: Channel['access'], since: string): Channel['auth'] {
  const blocked = [access.smtp, access.imap].find(({ state }) => state === 'blocked')
  return blocked
    ? { state: 'blocked_by_admin', fault: blocked.fault, since }
    : { state: 'connected', fault: null, since }
}

/** What an administrator changes takes effect within the hour; asking more often would look like an attack. */
const probeAgainAfterMs = 30 * 60_000

export function nextProbeAt(access: Channel['access'], nowMs: number): string | null {
  const isBlocked = access.imap.state === 'blocked' || access.smtp.state === 'blocked'
  return isBlocked ? new Date(nowMs + probeAgainAfterMs).toISOString() : null
}

/** Whether a protocol may be tried now. A channel blocked for one protocol goes on with the other. */
export function mayUse(channel: Channel, protocol: Protocol): boolean {
  const isBroken = channel.auth.state === 'reconnect_required' || channel.auth.state === 'app_fault'
  return channel.disconnectedAt === null && !isBroken && channel.access[protocol].state === 'ok'
}
