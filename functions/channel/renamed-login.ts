/**
 * A login that an administrator has renamed shows in the id_token of the next refresh, often before a server refuses the
 * old name (row S9). Here it only brings the probe forward: that verifies claims of its own, tries the stored name first
 * and adopts another one where a server refuses the stored and accepts the other (decision 12).
 */

import { decodeJwt } from 'jose'
import type { Channel, Channels } from './channels.ts'
import { errorForLog, log } from './log.ts'
import { loginOf } from './login.ts'
import { type Providers, providerOf } from './provider.ts'

/**
 * Costs nothing while the name is the known one, and one write for each new name.
 * @param idToken as the token endpoint sent it; not verified, since nothing is decided by it
 */
export async function noteLoginName(
  channel: Channel,
  idToken: string,
  { channels, providers, now }: { channels: Channels; providers: Providers; now(): number },
): Promise<void> {
  try {
    const name = loginOf(providerOf(providers, channel.provider), decodeJwt(idToken))
    if ([channel.login.smtp, channel.namedAs].some(known => isSameName(known, name))) return
    const change = { namedAs: name, nextProbeAt: new Date(now()).toISOString() }
    await channels.change(channel.id, change, { equals: { grantId: channel.grantId } })
  } catch (error) {
    // The token itself is good: whoever waits for it goes on.
    log({ event: 'login_name_not_noted', channelId: channel.id, ...errorForLog(error) })
  }
}

/** Providers show a name in the case in which an administrator typed it, and compare it without. */
function isSameName(known: string | undefined, name: string): boolean {
  return known?.toLowerCase() === name.toLowerCase()
}
