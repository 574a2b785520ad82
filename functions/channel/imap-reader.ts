/**
 * A session with a mailbox: what is new, and reading it over the same connection. Few round trips, bounded memory, and
 * never a flag touched (EXAMINE and PEEK only).
 */

import type { ListedFolder } from './imap-folders.ts'
import { type FolderState, glanceLimits, statesOf } from './imap-glance.ts'
import { completion, type ImapLogin, isCompletion, signInToImap } from './imap-sign-in.ts'
import type { Answer } from './imap-wire.ts'
import { arrivalTime, quoted, searchDay } from './imap-words.ts'

/** What is known of a mail before its bytes are read. */
export interface MailHead {
  uid: number
  receivedAt: Date
  /** RFC822.SIZE. Exchange only estimates it. */
  sizeBytes: number
  /** X-GM-MSGID: the same in every folder (label) of Gmail. */
  gmailId: string | null
  /** X-GM-THRID: Gmail's conversation. */
  gmailThreadId: string | null
}

export interface FetchedMail extends MailHead {
  /** The mail as it is; only its beginning where `omittedBytes` is not 0. */
  raw: Uint8Array
  /** What was left on the server, since the mail is larger than we take. */
  omittedBytes: number
}

export interface OpenFolder extends FolderState {
  messages: number
  heads: MailHead[]
}

export interface ImapSession {
  /**
   * Asks what is new, in one round trip; no folder is opened.
   * @param folders paths as the server spells them
   * @returns by path; null where the server has no such folder or does not say
   */
  glance(folders: string[]): Promise<Map<string, FolderState | null>>
  /** All folders of the mailbox. */
  list(): Promise<ListedFolder[]>
  /**
   * Opens a folder to read it, and lists what lies in a range of UIDs in the same round trip. Where UIDVALIDITY is
   * not what the caller knew, the list means nothing.
   */
  open(folder: string, range: UidRange): Promise<OpenFolder>
  /** Lowest UIDs first, `range.limit` at most. What was expunged is not there. */
  heads(range: UidRange): Promise<MailHead[]>
  headsOf(uids: number[]): Promise<MailHead[]>
  /** Of these UIDs, those that arrived on this day or later by the server's calendar. Ascending. */
  arrivedSince(day: Date, range: UidRange): Promise<number[]>
  /**
   * Mails as they come, in the server's order. One that was expunged meanwhile is missing; so is one that the
   * server lists but does not give, which Exchange is known for.
   * @param keepBytes how much is kept of each; what is longer comes cut
   */
  mails(heads: MailHead[], keepBytes: number): AsyncGenerator<FetchedMail>
  /** The beginnings of mails too large to be read. */
  beginnings(heads: MailHead[]): AsyncGenerator<FetchedMail>
  /** Says LOGOUT where that is still possible, waits for no answer, and leaves no socket behind on any path. */
  close(): void
}

export interface UidRange {
  from: number
  to: number
  limit: number
}

/** Of a mail that is not read whole: enough for any header that a mail program makes. */
const beginningBytes = 128 * 1024
const usualSilenceMs = 30_000
/** More than any mailbox has; a server must not fill the memory. */
const foldersLimit = 20_000

/**
 * @param lifeMs how long the connection may live once there is something to read; until then it has little time
 * @throws PostroomError of `signInToImap`
 */
export async function openImapSession(
  login: ImapLogin,
  { lifeMs, now, silenceMs = usualSilenceMs }: { lifeMs: number; now(): number; silenceMs?: number },
): Promise<ImapSession> {
  const first = {
    silenceMs: Math.min(silenceMs, glanceLimits.silenceMs),
    lifeMs: Math.min(lifeMs, glanceLimits.lifeMs),
  }
  const { wire, capabilities } = await signInToImap(login, first)
  let isReading = false
  const isGmail = / X-GM-EXT-1\b/i.test(capabilities)
  let isBroken = false
  let count = 0
  const nextTag = () => `f${++count}`

  /** After an error the connection is in the middle of something: no command makes sense any more. */
  async function guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      isBroken = true
      throw error
    }
  }

  const listCommand = (sequence: string) =>
    `UID FETCH ${sequence} (UID INTERNALDATE RFC822.SIZE${isGmail ? ' X-GM-MSGID X-GM-THRID' : ''})`

  async function readHeads(tag: string, { from, to, limit }: UidRange): Promise<MailHead[]> {
    const heads = new Map<number, MailHead>()
    await completion(wire, tag, ({ text }) => {
      const head = headIn(text, now())
      // A range that ends behind the newest mail holds the newest mail (RFC 3501 6.4.8).
      if (head && head.uid >= from && head.uid <= to) heads.set(head.uid, head)
      if (heads.size >= limit * 2 + 1_000) keepLowest(heads, limit)
    })
    return keepLowest(heads, limit)
  }

  async function* bodies(
    heads: MailHead[],
    section: string,
    { keepBytes, isWhole }: { keepBytes: number; isWhole: boolean },
  ): AsyncGenerator<FetchedMail> {
    if (heads.length === 0) return
    const wanted = new Map(heads.map(head => [head.uid, head]))
    const tag = nextTag()
    wire.keepOfLiterals(keepBytes)
    wire.send(`${tag} UID FETCH ${sequenceOf(heads.map(({ uid }) => uid))} (UID ${section})`)
    let isDone = false
    const nextMail = async (): Promise<FetchedMail | undefined> => {
      const answer = await wire.next()
      // Exchange, where some of several mails went meanwhile: what is still there has come before this.
      isDone = /^\S+ NO .*no longer exist/i.test(answer.text) || isCompletion(answer, tag)
      const mail = isDone ? undefined : bodyIn(answer, wanted, isWhole)
      if (mail) wanted.delete(mail.uid)
      return mail
    }
    try {
      while (!isDone) {
        const mail = await guarded(nextMail)
        if (mail) yield mail
      }
    } finally {
      // Whoever stops in the middle leaves the rest on the wire, before the next answer.
      while (!isDone && !isBroken) await guarded(nextMail)
    }
  }

  return {
    glance: folders => guarded(() => statesOf(wire, folders)),

    list: () =>
      guarded(async () => {
        // Loaded by the few that ask: with it comes a table of folder names in every language.
        const { listedFolder } = await import('./imap-folders.ts')
        const tag = nextTag()
        const folders: ListedFolder[] = []
        wire.send(`${tag} LIST "" "*"`)
        await completion(wire, tag, answer => {
          const folder = listedFolder(answer)
          if (folder && folders.length < foldersLimit) folders.push(folder)
        })
        return folders
      }),

    open: (folder, range) =>
      guarded(async () => {
        if (!isReading) wire.limit({ silenceMs, lifeMs })
        isReading = true
        const state = { uidValidity: '', uidNext: 0, messages: 0 }
        const onState = ({ text }: Answer) => {
          state.uidValidity = /\[UIDVALIDITY (\d{1,10})\]/i.exec(text)?.[1] ?? state.uidValidity
          state.uidNext = Number(/\[UIDNEXT (\d{1,10})\]/i.exec(text)?.[1] ?? state.uidNext)
          state.messages = Number(/^\* (\d{1,10}) EXISTS/i.exec(text)?.[1] ?? state.messages)
        }
        const [examine, list] = [nextTag(), nextTag()]
        wire.send(`${examine} EXAMINE ${quoted(folder)}`, `${list} ${listCommand(rangeText(range))}`)
        await completion(wire, examine, onState)
        return { ...state, heads: await readHeads(list, range) }
      }),

    heads: range =>
      guarded(async () => {
        const tag = nextTag()
        wire.send(`${tag} ${listCommand(rangeText(range))}`)
        return readHeads(tag, range)
      }),

    headsOf: uids =>
      guarded(async () => {
        if (uids.length === 0) return []
        const tag = nextTag()
        wire.send(`${tag} ${listCommand(sequenceOf(uids))}`)
        const heads = await readHeads(tag, { from: 1, to: Number.POSITIVE_INFINITY, limit: uids.length })
        return heads.filter(({ uid }) => uids.includes(uid))
      }),

    arrivedSince: (day, { from, to, limit }) =>
      guarded(async () => {
        const tag = nextTag()
        const uids: number[] = []
        // No RETURN, no group, no charset: Exchange refuses each of them.
        wire.send(`${tag} UID SEARCH UID ${rangeText({ from, to })} SINCE ${searchDay(day)}`)
        await completion(wire, tag, ({ text }) => {
          const list = /^\* SEARCH((?: \d{1,10})*)/i.exec(text)?.[1] ?? ''
          uids.push(...list.split(' ').filter(Boolean).map(Number))
        })
        return [...new Set(uids)]
          .filter(uid => uid >= from && uid <= to)
          .sort((a, b) => a - b)
          .slice(0, limit)
      }),

    mails: (heads, keepBytes) => bodies(heads, 'BODY.PEEK[]', { keepBytes, isWhole: true }),

    beginnings: heads =>
      bodies(heads, `BODY.PEEK[]<0.${beginningBytes}>`, { keepBytes: beginningBytes, isWhole: false }),

    close() {
      if (!isBroken) wire.send('z LOGOUT')
      wire.close()
    },
  }
}

function rangeText({ from, to }: Omit<UidRange, 'limit'>): string {
  return `${from}:${Math.max(from, to)}`
}

function keepLowest(heads: Map<number, MailHead>, limit: number): MailHead[] {
  const lowest = [...heads.values()].sort((a, b) => a.uid - b.uid).slice(0, limit)
  heads.clear()
  for (const head of lowest) heads.set(head.uid, head)
  return lowest
}

/** `5,7:9`: UIDs in the fewest words, since Exchange refuses long lines. */
function sequenceOf(uids: number[]): string {
  const runs: [number, number][] = []
  for (const uid of uids.toSorted((a, b) => a - b)) {
    const run = runs.at(-1)
    if (run && uid === run[1] + 1) run[1] = uid
    else runs.push([uid, uid])
  }
  return runs.map(([first, last]) => (first === last ? `${first}` : `${first}:${last}`)).join(',')
}

/** Attributes come in any order; flags, which may be named like anything, are unasked for. */
function attributesOf(text: string): string | undefined {
  if (!/^\* \d+ FETCH \(/i.test(text)) return undefined
  return text.replace(/ ?FLAGS \([^()]*\)/i, '')
}

function uidIn(attributes: string): number | undefined {
  const uid = /[( ]UID (\d{1,10})\b/i.exec(attributes)?.[1]
  return uid === undefined ? undefined : Number(uid)
}

function headIn(text: string, nowMs: number): MailHead | undefined {
  const attributes = attributesOf(text)
  const uid = attributes === undefined ? undefined : uidIn(attributes)
  if (attributes === undefined || uid === undefined) return undefined
  return {
    uid,
    receivedAt: arrivalTime(/INTERNALDATE "([^"]*)"/i.exec(attributes)?.[1] ?? '', nowMs),
    sizeBytes: Number(/RFC822\.SIZE (\d{1,15})/i.exec(attributes)?.[1] ?? 0),
    gmailId: /X-GM-MSGID (\d{1,20})/i.exec(attributes)?.[1] ?? null,
    gmailThreadId: /X-GM-THRID (\d{1,20})/i.exec(attributes)?.[1] ?? null,
  }
}

function bodyIn(
  { text, literals }: Answer,
  wanted: Map<number, MailHead>,
  isWhole: boolean,
): FetchedMail | undefined {
  const attributes = attributesOf(text)
  const head = attributes === undefined ? undefined : wanted.get(uidIn(attributes) ?? -1)
  if (attributes === undefined || !head) return undefined
  // A very short mail may come as a quoted string, a mail without bytes as NIL.
  const short = /BODY\[\](?:<0>)? "((?:[^"\\]|\\.)*)"/i.exec(attributes)?.[1]?.replace(/\\(.)/g, '$1')
  const literal =
    short === undefined ? literals[0] : { bytes: Buffer.from(short, 'latin1'), length: short.length }
  if (!literal || literal.length === 0) return undefined
  const { bytes, length } = literal
  const isCut = !isWhole && length >= beginningBytes
  const whole = isCut ? Math.max(head.sizeBytes, length) : length
  return { ...head, raw: bytes, omittedBytes: whole - bytes.byteLength }
}
