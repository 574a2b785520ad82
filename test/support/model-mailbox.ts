/** A mailbox as IMAP knows it, in memory: for simulations of what servers and people do to mail. */

import { PostroomError } from '../../functions/channel/faults.ts'
import type { FetchedMail, ImapSession, MailHead, UidRange } from '../../functions/channel/imap-reader.ts'
import type { Random } from './random.ts'

export interface ModelMail {
  /** Counts arrivals: what a simulation is judged by. */
  arrival: number
  receivedAt: Date
  raw: Buffer
}

interface Lying extends ModelMail {
  uid: number
  /** Until then it is there and is not shown, though later mail is (Exchange under load). */
  hiddenUntilMs: number
}

export interface ModelMailbox {
  arrive(mail: ModelMail, hiddenUntilMs?: number): void
  /** @returns what was taken away, so that it can be put back as a mail of another UID */
  takeAny(): ModelMail | undefined
  /** The server numbers its mail anew, in any order. */
  renumber(): void
  /** A mail of which the server gives nothing, for so many times. */
  withholdAny(times: number): void
  open(): ImapSession
}

/** @param breaks whether the connection breaks now */
export function openModelMailbox({
  random,
  now,
  breaks,
}: {
  random: Random
  now(): number
  breaks(): boolean
}): ModelMailbox {
  let uidValidity = 1
  let uidNext = 1
  let mails: Lying[] = []
  const withheld = new Map<number, number>()

  const shown = () => mails.filter(({ hiddenUntilMs }) => hiddenUntilMs <= now())
  const state = () => ({ uidValidity: String(uidValidity), uidNext })
  const head = ({ uid, receivedAt, raw }: Lying): MailHead => ({
    uid,
    receivedAt: new Date(Math.floor(receivedAt.getTime() / 1000) * 1000),
    sizeBytes: raw.byteLength,
    gmailId: null,
    gmailThreadId: null,
  })

  /** A connection sees the numbering it opened: after another one it is told good-bye. */
  function open(): ImapSession {
    const opened = uidValidity
    const step = async <T>(work: () => T): Promise<T> => {
      await null
      if (breaks() || uidValidity !== opened) throw new PostroomError('imap_unreachable')
      return work()
    }
    const listed = ({ from, to, limit }: UidRange) =>
      shown()
        .filter(({ uid }) => uid >= from && uid <= to)
        .sort((a, b) => a.uid - b.uid)
        .slice(0, limit)
        .map(head)
    async function* bodies(heads: MailHead[]): AsyncGenerator<FetchedMail> {
      for (const { uid } of heads) {
        const mail = await step(() => shown().find(lying => lying.uid === uid))
        const left = withheld.get(uid) ?? 0
        if (left > 0) withheld.set(uid, left - 1)
        else if (mail) yield { ...head(mail), raw: mail.raw, omittedBytes: 0 }
      }
    }
    return {
      list: () => step(() => []),
      glance: folders => step(() => new Map(folders.map(folder => [folder, state()]))),
      open: (_folder, range) => step(() => ({ ...state(), messages: shown().length, heads: listed(range) })),
      heads: range => step(() => listed(range)),
      headsOf: uids =>
        step(() =>
          shown()
            .filter(({ uid }) => uids.includes(uid))
            .map(head),
        ),
      arrivedSince: (day, range) =>
        step(() =>
          listed({ ...range, limit: Number.POSITIVE_INFINITY })
            .filter(({ receivedAt }) => receivedAt.getTime() >= day.getTime() - 24 * 3600_000)
            .map(({ uid }) => uid)
            .slice(0, range.limit),
        ),
      mails: bodies,
      beginnings: bodies,
      close() {},
    }
  }

  return {
    open,
    arrive(mail, hiddenUntilMs = 0) {
      mails.push({ ...mail, uid: uidNext++, hiddenUntilMs })
    },
    takeAny() {
      const index = Math.floor(random() * mails.length)
      return mails.splice(index, 1)[0]
    },
    renumber() {
      uidValidity += 1
      withheld.clear()
      const order = mails.map(mail => ({ mail, at: random() })).sort((a, b) => a.at - b.at)
      mails = order.map(({ mail }, index) => ({ ...mail, uid: index + 1 }))
      uidNext = mails.length + 1
    },
    withholdAny(times) {
      const mail = mails[Math.floor(random() * mails.length)]
      if (mail) withheld.set(mail.uid, times)
    },
  }
}

/** One connection to a mailbox of several folders, by their paths. */
export function openFolders(folders: Record<string, ModelMailbox>): ImapSession {
  const sessions = Object.entries(folders).map(([path, folder]) => ({ path, session: folder.open() }))
  const sessionOf = (path: string) => {
    const found = sessions.find(entry => entry.path === path)
    if (!found) throw new Error(`No folder ${path}`)
    return found.session
  }
  let opened = sessionOf('INBOX')
  return {
    async glance(paths) {
      const states = await Promise.all(
        paths.map(async path => (await sessionOf(path).glance([path])).get(path)),
      )
      return new Map(paths.map((path, index) => [path, states[index] ?? null]))
    },
    list: async () => sessions.map(({ path }) => ({ path, name: path, attributes: [], delimiter: '/' })),
    open(path, range) {
      opened = sessionOf(path)
      return opened.open(path, range)
    },
    heads: range => opened.heads(range),
    headsOf: uids => opened.headsOf(uids),
    arrivedSince: (day, range) => opened.arrivedSince(day, range),
    mails: (heads, keepBytes) => opened.mails(heads, keepBytes),
    beginnings: heads => opened.beginnings(heads),
    close() {},
  }
}
