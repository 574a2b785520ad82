/**
 * What is new in some folders? One round trip, and no folder is opened. It is what Postroom asks most, so it is written
 * out and not left to a library that asks for much more.
 */

import { PostroomError } from './faults.ts'
import { type ImapLogin, isCompletion, signInToImap } from './imap-sign-in.ts'
import type { ImapWire, WireLimits } from './imap-wire.ts'
import { quoted } from './imap-words.ts'

export interface FolderState {
  /** RFC 3501 2.3.1.1: when it changes, every UID known so far means nothing. */
  uidValidity: string
  uidNext: number
}

/** An idle mailbox answers at once; one that does not must not keep the others of its batch waiting. */
export const glanceLimits: WireLimits = { silenceMs: 8_000, lifeMs: 10_000 }

/**
 * A connection for one glance alone: two round trips after the greeting, three commands.
 * @param folders paths as the server spells them
 * @throws PostroomError of `signInToImap`
 */
export async function glance(
  login: ImapLogin,
  folders: string[],
  limits: WireLimits = glanceLimits,
): Promise<Map<string, FolderState | null>> {
  const { wire } = await signInToImap(login, limits)
  try {
    return await statesOf(wire, folders, ['z LOGOUT'])
  } finally {
    wire.close()
  }
}

/**
 * STATUS of each folder, and what follows, in one go (RFC 3501 5.5 allows it: none depends on another).
 * @returns by path; null where the server has no such folder or does not say
 */
export async function statesOf(
  wire: ImapWire,
  folders: string[],
  following: string[] = [],
): Promise<Map<string, FolderState | null>> {
  wire.send(
    ...folders.map((folder, index) => `s${index} STATUS ${quoted(folder)} (UIDNEXT UIDVALIDITY)`),
    ...following,
  )
  const states = new Map<string, FolderState | null>()
  for (const [index, folder] of folders.entries())
    states.set(folder, await stateOf(wire, `s${index}`, folder))
  return states
}

async function stateOf(wire: ImapWire, tag: string, folder: string): Promise<FolderState | null> {
  let state: FolderState | null = null
  for (;;) {
    const answer = await wire.next()
    try {
      if (isCompletion(answer, tag)) return state
    } catch (error) {
      if (answer.text.startsWith(`${tag} `) && folder !== 'INBOX' && isAboutOne(error)) return null
      throw error
    }
    state = statusIn(answer.text) ?? state
  }
}

/**
 * A refusal without a known meaning says that there is no such folder, in whatever words, or that this one cannot be
 * looked at. Where nothing works, INBOX, which every mailbox has, is refused as well.
 */
function isAboutOne(error: unknown): boolean {
  return error instanceof PostroomError && error.code === 'imap_unreachable'
}

/** `* STATUS INBOX (UIDNEXT 7 UIDVALIDITY 3)`, in any order and with anything else among it. */
function statusIn(text: string): FolderState | undefined {
  if (!/^\* STATUS /i.test(text)) return undefined
  const list = /\(([^()]*)\)\s*$/.exec(text)?.[1] ?? ''
  const uidNext = /\bUIDNEXT (\d{1,10})\b/i.exec(list)?.[1]
  const uidValidity = /\bUIDVALIDITY (\d{1,10})\b/i.exec(list)?.[1]
  return uidNext === undefined || uidValidity === undefined
    ? undefined
    : { uidNext: Number(uidNext), uidValidity }
}
