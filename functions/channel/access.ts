/** What a probe means for a channel: which protocols may be used, under which names, and who must act for the rest. */

import type { Channel } from './channels.ts'
import { describeFault, type FaultCode, faults, PostroomError } from './faults.ts'
import { lastAnswer, type Probe, type Protocol, type ProtocolProbe } from './probe.ts'

export interface Judgement {
  login: Channel['login']
  access: Channel['access']
}

/**
 * What works is kept, what does not is named. A server that gave no verdict leaves the name as it was: the
 * next mail will tell.
 * @param presumed the names to keep where the probe proved none
 * @param before what a server that gave no verdict leaves as it was
 * @throws PostroomError `mailbox_unusable` if both servers gave a verdict and neither lets the account in
 */
export function judgeProbe(
  probe: Probe,
  presumed: Channel['login'],
  before: Channel['access'] = unproven,
): Judgement {
  const { imap, smtp } = probe
  if (isRefused(imap) && isRefused(smtp)) {
    throw new PostroomError('mailbox_unusable', {
      evidence: `IMAP: ${lastAnswer(imap)}; SMTP: ${lastAnswer(smtp)}`,
    })
  }
  return {
    login: { imap: imap.login ?? presumed.imap, smtp: smtp.login ?? presumed.smtp },
    access: { imap: accessOf('imap', imap) ?? before.imap, smtp: accessOf('smtp', smtp) ?? before.smtp },
  }
}

const unproven: Channel['access'] = {
  imap: { state: 'ok', fault: null },
  smtp: { state: 'ok', fault: null },
}

function isRefused({ login, isConclusive }: ProtocolProbe): boolean {
  return login === null && isConclusive
}

/** @returns null where the server gave no verdict */
function accessOf(protocol: Protocol, probe: ProtocolProbe): Channel['access'][Protocol] | null {
  if (probe.login !== null) return { state: 'ok', fault: null }
  if (!isRefused(probe) || probe.fault === null) return null
  // The same token opens the other protocol: not the grant is broken, a setting is in the way.
  const isBare = faults[probe.fault.code].action === 'heal'
  const setting = settingBehind(protocol, probe.fault.code)
  const fault = isBare
    ? describeFault(new PostroomError(setting, { evidence: lastAnswer(probe) }))
    : probe.fault
  return { state: 'blocked', fault }
}

/** What a refusal without a reason means, where the other server accepts the same token. */
export function settingBehind(protocol: Protocol, refusal: FaultCode): FaultCode {
  return refusal === 'imap_not_connected' ? 'imap_disabled' : `${protocol}_refuses_login`
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
  const waits = [access.imap, access.smtp].filter(({ state }) => state === 'blocked').map(waitMsOf)
  return waits.length > 0 ? new Date(nowMs + Math.min(...waits)).toISOString() : null
}

/** Where a sign-in tells nothing, since it is the sending that is blocked, only trying again does: once a day. */
function waitMsOf({ fault }: Channel['access'][Protocol]): number {
  const code = fault?.code ?? ''
  const backOff = Object.hasOwn(faults, code) ? faults[code as FaultCode].backOff : undefined
  return Math.max(probeAgainAfterMs, backOff?.fromMs ?? 0)
}

/** Whether a protocol may be tried now. A channel blocked for one protocol goes on with the other. */
export function mayUse(channel: Channel, protocol: Protocol): boolean {
  const isBroken = channel.auth.state === 'reconnect_required' || channel.auth.state === 'app_fault'
  return channel.disconnectedAt === null && !isBroken && channel.access[protocol].state === 'ok'
}
