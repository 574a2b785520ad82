/** Under which names a mailbox's owner may be known to each server, best first, and how fast they may be tried. */

import type { JWTPayload } from 'jose'
import type { Channel } from './channels.ts'
import type { Probe, Protocol } from './probe.ts'
import type { ProviderEntry } from './provider.ts'

export type Candidates = Record<Protocol, string[]>

/**
 * @param known logins that worked before, tried first
 * @param sharedMailbox opened by IMAP under its own address only; for SMTP it is never a login
 * @param email the address the mailbox is known by, tried last
 */
export function loginCandidates(
  entry: ProviderEntry,
  claims: JWTPayload,
  {
    known,
    sharedMailbox,
    email,
  }: { known: Partial<Record<Protocol, string>>; sharedMailbox: string | null; email?: string },
): Candidates {
  const named = [...entry.loginClaims, 'email']
    .map(name => claims[name])
    .concat(sharedMailbox === null ? email : undefined)
    .filter(value => typeof value === 'string')
    .map(value => value.trim())
    // A guest's UPN names the home tenant in a form no mail server knows.
    .filter(value => value !== '' && !value.includes('#EXT#'))
  const withKnown = (login: string | undefined) => [...new Set([...(login ? [login] : []), ...named])]
  return {
    imap: sharedMailbox ? [sharedMailbox] : withKnown(known.imap),
    smtp: withKnown(known.smtp),
  }
}

/** Servers count refused sign-ins: a new name at most this often, and all of them at most once a day. */
const betweenNamesMs = 30_000
const betweenListsMs = 24 * 3600_000

function listOf({ tried }: Channel, nowMs: number): NonNullable<Channel['tried']> {
  if (tried && nowMs - Date.parse(tried.since) < betweenListsMs) return tried
  return { since: new Date(nowMs).toISOString(), lastAt: new Date(0).toISOString(), imap: [], smtp: [] }
}

/** @returns the stored name, and at most one that was not tried yet, per server */
export function paced(channel: Channel, candidates: Candidates, nowMs: number) {
  const list = listOf(channel, nowMs)
  const mayTry = nowMs - Date.parse(list.lastAt) >= betweenNamesMs
  const untried = (protocol: Protocol) =>
    candidates[protocol].filter(name => name !== channel.login[protocol] && !list[protocol].includes(name))
  const namesFor = (protocol: Protocol) => [
    channel.login[protocol],
    ...(mayTry ? untried(protocol).slice(0, 1) : []),
  ]
  const isLeftFor = (protocol: Protocol) => untried(protocol).length > (mayTry ? 1 : 0)
  return {
    names: { imap: namesFor('imap'), smtp: namesFor('smtp') },
    isLeft: { imap: isLeftFor('imap'), smtp: isLeftFor('smtp') },
  }
}

/** @returns the list with the names that were tried now */
export function triedAfter(channel: Channel, probe: Probe, nowMs: number): NonNullable<Channel['tried']> {
  const list = listOf(channel, nowMs)
  const newNames = (protocol: Protocol) =>
    probe[protocol].attempts
      .map(({ login }) => login)
      .filter(name => name !== channel.login[protocol] && !list[protocol].includes(name))
  const added = { imap: newNames('imap'), smtp: newNames('smtp') }
  const hasTried = added.imap.length + added.smtp.length > 0
  return {
    since: list.since,
    lastAt: hasTried ? new Date(nowMs).toISOString() : list.lastAt,
    imap: [...list.imap, ...added.imap],
    smtp: [...list.smtp, ...added.smtp],
  }
}
