/** Turns what was decided about a channel into the event an app reads: what happened, why, who must act, and by which link. */

import { type Channel, presentChannel } from './channels.ts'
import type { EventType } from './events.ts'
import { describeFault, type Fault, type FaultCode, faults, PostroomError } from './faults.ts'
import type { Queues } from './queues.ts'
import { openReconnectLinks, type ReconnectLinkServices } from './reconnect-link.ts'
import { openTenantFaults, type TenantFaultServices } from './tenant-faults.ts'

/** Stored with the change it is about, until it is told. */
export type Telling = Channel['unannounced'][number] & { type: EventType }

export interface TellingServices extends ReconnectLinkServices, TenantFaultServices {
  queues: Pick<Queues, 'noticeOwner'>
}

export interface Tellings {
  tell(channel: Channel, telling: Channel['unannounced'][number]): Promise<void>
}

export function openTellings(services: TellingServices): Tellings {
  const links = openReconnectLinks(services)
  const tenantFaults = openTenantFaults(services)
  return {
    async tell(channel, { type, at, reminder }) {
      const fault = faultOf(channel, type)
      const isFirst = reminder === undefined && isAboutSignIn(type)
      const isTenantWide = isFirst && (await tenantFaults.struck(channel, at))
      if (cures.includes(type)) await tenantFaults.cured(channel, at)
      await services.events.announce({
        type: type as EventType,
        accountId: channel.accountId,
        channelId: channel.id,
        occurredAt: at,
        subject: `${channel.id} ${at}`,
        data: {
          channel: presentChannel(channel),
          ...(fault && { reason: fault.code, actor: fault.actor, summary: fault.summary }),
          ...(fault && settingOf(fault.code)),
          ...(needsConsent(channel, type) && { reconnectUrl: await links.create(channel) }),
          ...(reminder && { reminder }),
          ...(isTenantWide && { isTenantWide }),
        },
      })
      if (type !== 'channel.reconnect_required' || channel.ownerNotice === null) return
      // An administrator has one thing to mend: owners hear of it only if it lasts until the first reminder.
      if (isTenantWide) return
      await services.queues.noticeOwner({
        channelId: channel.ownerNotice.from,
        ownerNotice: { channelId: channel.id, since: channel.auth.since, reminder: reminder ?? 0 },
      })
    },
  }
}

const cures = ['channel.recovered', 'channel.reconnected']

function isAboutSignIn(type: string): boolean {
  return type === 'channel.reconnect_required' || type === 'channel.blocked'
}

/** What the event is about: a sign-in that is in the way, or a server that does not answer. */
function faultOf(
  channel: Channel,
  type: string,
): (Pick<Fault, 'actor' | 'summary'> & { code: string }) | null {
  if (isAboutSignIn(type)) return channel.auth.fault as Fault | null
  if (type !== 'channel.overdue') return null
  return (
    (channel.imapTrouble?.fault as Fault | undefined) ?? describeFault(new PostroomError('polling_stalled'))
  )
}

function settingOf(code: string): { setting?: string } {
  const setting = Object.hasOwn(faults, code) ? faults[code as FaultCode].setting : undefined
  return setting ? { setting } : {}
}

/** A policy may also be met by signing in again, from a device it likes. */
function needsConsent({ auth }: Channel, type: string): boolean {
  if (type === 'channel.reconnect_required') return true
  return type === 'channel.blocked' && auth.fault?.code === 'grant_blocked_by_policy'
}
