/**
 * The idle poll: is there anything new? One connection, two round trips after the greeting, three commands. It is
 * what Postroom does most, so it is written out and not left to a library that asks for much more.
 */

import { PostroomError } from './faults.ts'
import { completion, type ImapLogin, signInToImap } from './imap-sign-in.ts'
import { quoted } from './imap-words.ts'

export interface FolderState {
  /** RFC 3501 2.3.1.1: when it changes, every UID known so far means nothing. */
  uidValidity: string
  uidNext: number
}

const silenceMs = 8_000
const lifeMs = 10_000

/**
 * @param folders paths as the server spells them
 * @returns by path; null where the server has no such folder or does not say
 * @throws PostroomError of `signInToImap`
 */
export async function glance(
  login: ImapLogin,
  folders: string[],
  limits: { silenceMs: number; lifeMs: number } = { silenceMs, lifeMs },
): Promise<Map<string, FolderState | null>> {
  const { wire } = await signInToImap(login, limits)
  try {
    // STATUS of one folder each, and good-bye, in one go (RFC 3501 5.5 allows it: none depends on another).
    wire.send(
      ...folders.map((folder, index) => `s${index} STATUS ${quoted(folder)} (UIDNEXT UIDVALIDITY)`),
      'z LOGOUT',
    )
    const states = new Map<string, FolderState | null>()
    for (const [index, folder] of folders.entries()) {
      let state: FolderState | null = null
      await completion(wire, `s${index}`, ({ text }) => {
        state = statusIn(text) ?? state
      }).catch(error => {
        if (!isMissing(error)) throw error
      })
      states.set(folder, state)
    }
    return states
  } finally {
    wire.close()
  }
}

/** A NO to one folder says nothing about the others, unless it says that nothing works. */
function isMissing(error: unknown): boolean {
  const evidence = error instanceof PostroomError ? (error.evidence ?? '') : ''
  return /nonexistent|n.t exist|no such|not found|unknown mailbox/i.test(evidence)
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
