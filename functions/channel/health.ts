/** Moves the two health axes of a channel, and tells what that means: the only writer of both. */

import { authOf, mayUse, nextProbeAt } from './access.ts'
import { backOffMs } from './back-off.ts'
import { connectionOf, type Trouble, untroubled, withStep } from './channel-health.ts'
import type { Channel, ChannelChange, Channels } from './channels.ts'
import { doubtAfter, isProven } from './doubt.ts'
import { describeFault, PostroomError } from './faults.ts'
import { authTransition, connectionTransitions, proofIn } from './health-transitions.ts'
import type { Protocol } from './probe.ts'
import { openTellings, type Telling, type TellingServices } from './tellings.ts'
import { firstReminderAt, type Move, overdueAt, saidWhenWoken, wakeAfterProbe } from './wake-ups.ts'

export interface Health {
  /**
   * After a failure of one protocol. A fault that proves something, and as often as its row wants (`proof`),
   * moves `auth`; every other makes the protocol rest, and prompts nobody.
   * @returns the channel as it is now: `mayUse` and `restsUntil` tell how to go on
   */
  failed(channel: Channel, protocol: Protocol, error: PostroomError): Promise<Channel>
  /** After a success of one protocol: ends its rest, and forgets every doubt. An idle success writes nothing. */
  succeeded(channel: Channel, protocol: Protocol): Promise<Channel>
  /** Nobody has polled the mailbox for long, though nothing is known to be in the way: its app is told once. */
  overlooked(channel: Channel): Promise<Channel>
  /**
   * A probe has proven what works; announces what that changed.
   * @param works a protocol that did not is in the trouble it was in, for as long as it was in it
   */
  proven(channel: Channel, change: ChannelChange, works?: Record<Protocol, boolean>): Promise<Channel>
  /** Announces what was decided with the channel's last change; also called by `schedule` for crashed callers. */
  announce(channel: Channel): Promise<Channel>
  /** Called by `schedule` when a channel's time has come: tells what is untold, reminds, says what is overdue. */
  attend(channel: Channel): Promise<Channel>
}

/** Of several writers at once, one wins; the others look again this often. */
const triesPerMove = 5

export interface HealthServices extends TellingServices {
  channels: Channels
  now(): number
  /** As Math.random. */
  random?: () => number
}

export function openHealth(services: HealthServices): Health {
  const { channels, now, random = Math.random } = services
  const tellings = openTellings(services)
  const nowText = () => new Date(now()).toISOString()

  async function announce(channel: Channel): Promise<Channel> {
    if (channel.unannounced.length === 0) return channel
    for (const telling of channel.unannounced) await tellings.tell(channel, telling)
    const told = { unannounced: [], wakeAt: channel.wakeAt }
    return (await channels.change(channel.id, told, unchanged(channel))) ?? channel
  }

  /**
   * Decides on the channel as it is stored, and writes only if nobody else has moved it meanwhile.
   * @param decide null where there is nothing to move
   */
  async function move(seen: Channel, decide: (channel: Channel) => Move | null): Promise<Channel> {
    let latest = seen
    for (let tries = 0; tries < triesPerMove; tries++) {
      latest = (await channels.find(seen.id)) ?? latest
      // A reconnect or a healed login in between: what was found out about the old ones no longer counts.
      if (!isSameSignIn(latest, seen)) return latest
      const decided = decide(latest)
      if (!decided) return latest
      const unannounced = [...latest.unannounced, ...decided.tell]
      const wakeAt = decided.change.wakeAt === undefined ? latest.wakeAt : decided.change.wakeAt
      const change = { ...decided.change, unannounced, wakeAt, revision: latest.revision + 1 }
      const moved = await channels.change(latest.id, change, unchanged(latest))
      if (moved) return announce(moved)
    }
    return latest
  }

  function rest(channel: Channel, protocol: Protocol, error: PostroomError): Move {
    const before = channel[`${protocol}Trouble`]
    const doubt = doubtAfter(channel, protocol, error, now())
    // What is not believed yet is nobody's task, whatever it will be once it is.
    const fault = error.row.proof
      ? new PostroomError('sign_in_unsettled', { evidence: error.evidence })
      : error
    const failures = (before?.failures ?? 0) + 1
    const trouble: Trouble = {
      fault: describeFault(fault),
      failures,
      since: before?.since ?? nowText(),
      until: new Date(now() + backOffMs(error, failures, random)).toISOString(),
      doubt,
    }
    const isNews = before?.fault.code !== fault.code
    const history = isNews
      ? withStep(channel.history, {
          at: nowText(),
          axis: 'connection',
          protocol,
          from: before ? 'backing_off' : 'ok',
          to: 'backing_off',
          reason: error.code,
          evidence: error.evidence ?? null,
        })
      : channel.history
    const begins = protocol === 'imap' && before === null
    return {
      change: {
        [`${protocol}Trouble`]: trouble,
        history,
        ...(begins && { wakeAt: overdueAt(now()) }),
      },
      tell: [],
    }
  }

  function stop(channel: Channel, protocol: Protocol, error: PostroomError): Move | null {
    const proof = proofIn(error)
    const transition = proof && authTransition(channel.auth.state, proof)
    if (!transition) return null
    const at = nowText()
    const fault = describeFault(error)
    const isBlock = transition.to === 'blocked_by_admin'
    const access = isBlock
      ? { ...channel.access, [protocol]: { state: 'blocked' as const, fault } }
      : channel.access
    const isSame = transition.to === channel.auth.state
    const auth = isBlock
      ? { ...authOf(access, at), ...(isSame && { since: channel.auth.since }) }
      : { state: transition.to, fault, since: at }
    // The same setting in the way of the other protocol is no news for whoever can change it.
    const isTold = isSame && channel.auth.fault?.code === error.code
    const step = {
      at,
      axis: 'auth' as const,
      protocol,
      from: channel.auth.state,
      to: transition.to,
      reason: error.code,
      evidence: error.evidence ?? null,
    }
    return {
      change: {
        auth,
        access,
        nextProbeAt: nextProbeAt(access, now()),
        [`${protocol}Trouble`]: null,
        history: withStep(channel.history, step),
        reminders: 0,
        wakeAt: isBlock ? null : firstReminderAt(now()),
      },
      tell: transition.tell && !isTold ? [{ type: transition.tell, at }] : [],
    }
  }

  return {
    announce,

    failed(seen, protocol, error) {
      return move(seen, channel => {
        // A dead grant is told even where a setting is in the way already.
        if (!mayUse(channel, protocol) && proofIn(error) !== 'person_needed') return null
        if (channel.disconnectedAt !== null) return null
        const isBelieved = proofIn(error) !== null && isProven(channel, protocol, error, now())
        return isBelieved ? stop(channel, protocol, error) : rest(channel, protocol, error)
      })
    },

    async succeeded(seen, protocol) {
      if (!isTroubled(seen, protocol)) return seen
      return move(seen, channel => {
        if (!isTroubled(channel, protocol)) return null
        const change = { ...channel, [`${protocol}Trouble`]: null }
        const isFetched = protocol === 'imap'
        const { to } = connectionTransitions.find(({ on }) => on === 'worked') ?? { to: 'ok' as const }
        const step = {
          at: nowText(),
          axis: 'connection' as const,
          protocol,
          from: 'backing_off',
          to: connectionOf(change).state === 'ok' ? to : 'backing_off',
          reason: 'worked',
          evidence: null,
        }
        return {
          change: {
            [`${protocol}Trouble`]: null,
            tried: null,
            ...(channel[`${protocol}Trouble`] && { history: withStep(channel.history, step) }),
            ...(isFetched && { isOverdueTold: false, wakeAt: null }),
          },
          tell: isFetched && channel.isOverdueTold ? [{ type: 'channel.recovered', at: nowText() }] : [],
        }
      })
    },

    async overlooked(seen) {
      if (seen.isOverdueTold) return seen
      return move(seen, channel => {
        if (channel.isOverdueTold || channel.imapTrouble !== null || !mayUse(channel, 'imap')) return null
        return { change: { isOverdueTold: true }, tell: [{ type: 'channel.overdue', at: nowText() }] }
      })
    },

    proven(seen, change, works = { imap: true, smtp: true }) {
      return move(seen, channel => {
        const at = nowText()
        const tell: Telling[] = []
        const after = { ...channel, ...change }
        const { imap, smtp } = after.login
        if (imap !== channel.login.imap || smtp !== channel.login.smtp) {
          tell.push({ type: 'channel.login_healed', at })
        }
        const [was, is] = [channel.auth.state, after.auth.state]
        const transition = authTransition(was, is === 'connected' ? 'proven' : 'setting_in_the_way')
        if (was !== is && transition?.tell) tell.push({ type: transition.tell, at })
        // The same state keeps its time: `since` tells how long, not when it was last looked at.
        const auth = was === is ? { ...after.auth, since: channel.auth.since } : after.auth
        const step = {
          at,
          axis: 'auth' as const,
          protocol: null,
          from: was,
          to: is,
          reason: after.auth.fault?.code ?? 'worked',
          evidence: after.auth.fault?.evidence ?? null,
        }
        const history = was === is ? channel.history : withStep(channel.history, step)
        const isSame = was === is
        const imapTrouble = works.imap ? null : channel.imapTrouble
        const health = {
          ...untroubled,
          imapTrouble,
          smtpTrouble: works.smtp ? null : channel.smtpTrouble,
          reminders: isSame ? channel.reminders : 0,
          wakeAt: wakeAfterProbe(channel, { is, imapTrouble }, now()),
          // That mail is fetched again is told once it is, unless that all works is told now.
          isOverdueTold: channel.isOverdueTold && (isSame || !works.imap),
        }
        return { change: { ...health, ...change, auth, history }, tell }
      })
    },

    async attend(seen) {
      const channel = await announce(seen)
      if (channel.wakeAt === null || Date.parse(channel.wakeAt) > now()) return channel
      return move(channel, latest => {
        if (latest.wakeAt === null || Date.parse(latest.wakeAt) > now()) return null
        return saidWhenWoken(latest, now())
      })
    },
  }
}

/** A success has something to end. */
function isTroubled(channel: Channel, protocol: Protocol): boolean {
  return channel[`${protocol}Trouble`] !== null || (protocol === 'imap' && channel.isOverdueTold)
}

function unchanged({ revision }: Channel) {
  return { atMost: { revision } }
}

function isSameSignIn(a: Channel, b: Channel): boolean {
  return a.grantId === b.grantId && a.login.imap === b.login.imap && a.login.smtp === b.login.smtp
}
