/**
 * What strikes a whole organization (a policy, SMTP switched off for all, a consent that its administrator revoked) is
 * told as one event beside those of its channels, so that an app need not write to a thousand owners what one
 * administrator must mend. The first channels are told as usual: until then it may be chance.
 *
 * One item for each account, organization and fault; it is read at each channel's trouble, which is rare, and written
 * for the first few only. Whatever is repeated after a crash finds itself in it.
 */

import * as v from 'valibot'
import type { Channel } from './channels.ts'
import type { Events } from './events.ts'
import { type FaultCode, faults } from './faults.ts'
import type { Providers } from './provider.ts'
import { integer } from './single-values.ts'
import { readItem, type Table } from './table.ts'

/** So many channels, within so long, are no chance. */
const channelsOfWave = 5
const withinMs = 60 * 60_000
/** Whoever is struck later than this is told anew. */
const lastsMs = 24 * 3600_000
const retentionSeconds = 7 * 24 * 3600
/** Of several writers at once, one wins; the others look again this often. */
const tries = 10

const waveSchema = v.object({
  /** When the first channel was struck. */
  since: v.string(),
  /** When there were enough of them. */
  waveAt: v.nullable(v.string()),
  /** When as many work again. */
  overAt: v.nullable(v.string()),
  /** The first ones struck, and the first ones cured. */
  struck: v.array(v.string()),
  cured: v.array(v.string()),
  revision: integer,
})

type Wave = v.InferOutput<typeof waveSchema>

interface Scope {
  accountId: string
  provider: string
  /** `tid` at Microsoft; elsewhere the domain people sign in under. */
  tenant: string
  code: FaultCode
}

const waveKey = ({ accountId, provider, tenant, code }: Scope) => ({
  pk: `TENANT_FAULT#${accountId}`,
  sk: `${provider}#${tenant}#${code}`,
})

export interface TenantFaults {
  /** A channel's `auth` has stopped. @returns whether its organization is told of as a whole */
  struck(channel: Channel, at: string): Promise<boolean>
  /** A channel's `auth` works again. */
  cured(channel: Channel, at: string): Promise<void>
}

export interface TenantFaultServices {
  main: Table
  events: Events
  providers: Providers
}

export function openTenantFaults({ main, events, providers }: TenantFaultServices): TenantFaults {
  /**
   * @param decide null where nothing is to be written
   * @returns the wave as it is now
   */
  async function change(
    scope: Scope,
    decide: (wave: Wave | undefined) => Omit<Wave, 'revision'> | null,
  ): Promise<Wave | undefined> {
    for (let attempt = 0; attempt < tries; attempt++) {
      const item = await main.get(waveKey(scope))
      const wave = item && readItem(waveSchema, item)
      const decided = decide(wave)
      if (!decided) return wave
      const changed = { ...decided, revision: (wave?.revision ?? 0) + 1 }
      const ttl = Math.floor(Date.parse(decided.since) / 1000) + retentionSeconds
      const unchanged = wave ? { equals: { revision: wave.revision } } : { exists: false }
      if (await main.put({ ...waveKey(scope), ...changed, ttl }, unchanged)) return changed
    }
    return undefined
  }

  function tell(type: 'tenant.fault' | 'tenant.recovered', scope: Scope, wave: Wave, at: string) {
    const { accountId, provider, tenant, code } = scope
    const { summary, setting } = faults[code]
    const { since, struck } = wave
    return events.announce({
      type,
      accountId,
      channelId: null,
      occurredAt: at,
      subject: `${provider} ${tenant} ${code} ${since}`,
      data: {
        ...{ provider, tenant, reason: code, actor: 'tenant_admin', summary },
        ...(setting && { setting }),
        since,
        channelIds: struck,
      },
    })
  }

  return {
    async struck(channel, at) {
      const scope = scopeOf(channel, channel.auth.fault?.code, providers)
      if (!scope) return false
      const wave = await change(scope, known => {
        const isSame = known !== undefined && isCurrent(known, at)
        if (isSame && (known.waveAt !== null || known.struck.includes(channel.id))) return null
        const before = isSame ? known : { since: at, struck: [] }
        const struck = [...before.struck, channel.id]
        const waveAt = struck.length >= channelsOfWave ? at : null
        return { since: before.since, waveAt, overAt: null, struck, cured: [] }
      })
      if (!wave?.waveAt) return false
      await tell('tenant.fault', scope, wave, wave.waveAt)
      return true
    },

    async cured(channel, at) {
      const scope = scopeOf(channel, codeBefore(channel, at), providers)
      if (!scope) return
      const wave = await change(scope, known => {
        if (!known || known.waveAt === null || known.overAt !== null) return null
        if (!isCurrent(known, at) || known.cured.includes(channel.id)) return null
        const cured = [...known.cured, channel.id]
        return { ...known, cured, overAt: cured.length >= channelsOfWave ? at : null }
      })
      if (wave?.overAt && wave.cured.includes(channel.id)) {
        await tell('tenant.recovered', scope, wave, wave.overAt)
      }
    },
  }
}

function isCurrent({ since, waveAt, overAt }: Wave, at: string): boolean {
  const ageMs = Date.parse(at) - Date.parse(since)
  return overAt === null && ageMs < (waveAt === null ? withinMs : lastsMs)
}

/** @returns null for what is no organization's, or nothing its administrator has done */
function scopeOf(channel: Channel, code: string | undefined, providers: Providers): Scope | null {
  const { accountId, provider, identity, login } = channel
  // One that is not configured any more has still channels to tell of.
  const personalTenants = providers[provider]?.personalTenants ?? []
  const tenant = identity.tid ?? login.smtp.slice(login.smtp.lastIndexOf('@') + 1).toLowerCase()
  if (personalTenants.includes(tenant) || !isFaultCode(code)) return null
  const { actor, action } = faults[code]
  // What is the operator's doing with the OAuth app is so wherever the mailbox is.
  const isOfApp = code === 'app_replaced' || code === 'grant_ended_in_testing'
  const isWide = actor === 'tenant_admin' || (action === 'reconnect' && !isOfApp)
  return isWide ? { accountId, provider, tenant, code } : null
}

function isFaultCode(code: string | undefined): code is FaultCode {
  return code !== undefined && Object.hasOwn(faults, code)
}

/** What was in the way until this moment; undefined if it was not the sign-in that works again. */
function codeBefore({ history }: Channel, at: string): string | undefined {
  const [before, last] = history.filter(({ axis }) => axis === 'auth').slice(-2)
  return last?.at === at && last.to === 'connected' ? before?.reason : undefined
}
