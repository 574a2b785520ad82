/** One IMAP connection as bytes: lines and literals in, lines out. Knows no command. Bounded in time and memory. */

import { connect as connectPlain, type Socket } from 'node:net'
import { evidenceOf } from './evidence.ts'
import { PostroomError } from './faults.ts'
import { imapAnswerFault, suggestedWaitMs } from './imap-answers.ts'
import type { MailServer } from './provider.ts'
import { connectOverTls } from './tls-connection.ts'

/** A string of the server's, announced as `{n}` at the end of a line (RFC 3501 4.3). */
interface Literal {
  /** All of it, or its beginning where it is longer than was allowed. */
  bytes: Uint8Array
  /** Its length on the wire. */
  length: number
}

/** One answer: a line, with what came as literals beside it. `{n}` stays in the text where each stood. */
export interface Answer {
  text: string
  literals: Literal[]
}

export interface ImapWire {
  /** Sends whole lines, in one write: what goes out together costs one round trip together. */
  send(...lines: string[]): void
  /** @throws PostroomError when the connection ends, breaks a limit or stays silent for too long */
  next(): Promise<Answer>
  /** How much of each literal is kept from now on; the rest is read and dropped. */
  keepOfLiterals(bytes: number): void
  /** From now on other limits hold; the connection's life begins anew. */
  limit(limits: WireLimits): void
  /** Goes on under TLS (RFC 3501 6.2.1). What the server said before is void, also what lies unread. */
  startTls(): Promise<void>
  /** Leaves no socket behind. What was sent still goes out. */
  close(): void
}

export interface WireLimits {
  /** Longest silence of the server. */
  silenceMs: number
  /** Longest life of the connection, whatever the server says meanwhile. */
  lifeMs: number
}

/** More than the UIDs that one SEARCH of ours can name, far less than what would hurt. */
const lineLimit = 512 * 1024
const literalLimit = 64 * 1024
/** Answers that may wait; beyond, the server waits instead. */
const queueLimit = 32

/** @throws PostroomError `imap_unreachable` */
export async function openWire(server: MailServer, limits: WireLimits): Promise<ImapWire> {
  const { host, port, security } = server
  let reader = newReader()
  /** Why there is no connection any more. Most end as they should, and no error is made of that. */
  let ended: string | undefined
  const answers: Answer[] = []
  let waiting: { resolve(answer: Answer): void; reject(error: PostroomError): void } | undefined

  const fail = (evidence: string) => {
    ended ??= evidence
    socket.destroy()
    const waiter = waiting
    waiting = undefined
    waiter?.reject(wireFault(ended))
  }
  let life: NodeJS.Timeout
  let silence: NodeJS.Timeout
  const watch = ({ silenceMs, lifeMs }: WireLimits) => {
    life = setTimeout(() => fail('no end in time'), lifeMs)
    // While nobody waits for an answer it is we who are slow: the server's next words may lie here already.
    silence = setTimeout(() => {
      if (waiting) fail('no answer in time')
      else silence.refresh()
    }, silenceMs)
  }
  const unwatch = () => {
    clearTimeout(life)
    clearTimeout(silence)
  }
  watch(limits)

  const deliver = (answer: Answer) => {
    const waiter = waiting
    waiting = undefined
    if (waiter) waiter.resolve(answer)
    else if (answers.push(answer) >= queueLimit) socket.pause()
  }
  const onData = (chunk: Buffer) => {
    silence.refresh()
    const broken = reader.read(chunk, deliver)
    if (broken) fail(broken)
  }
  const listen = (to: Socket): Socket =>
    to
      .setNoDelay(true)
      .on('error', error => fail('code' in error ? String(error.code) : error.name))
      .on('close', () => {
        unwatch()
        fail('the connection ended')
      })
  let socket = listen(
    security === 'starttls'
      ? connectPlain({ host, port }).on('data', onData)
      : connectOverTls(server, { onData }),
  )

  return {
    send(...lines) {
      if (ended === undefined) socket.write(lines.map(line => `${line}\r\n`).join(''))
    },

    next() {
      // What was said before the connection broke is still an answer.
      const answer = answers.shift()
      if (answer) {
        if (answers.length < queueLimit / 2 && socket.isPaused()) socket.resume()
        return Promise.resolve(answer)
      }
      if (ended !== undefined) return Promise.reject(wireFault(ended))
      silence.refresh()
      return new Promise((resolve, reject) => {
        waiting = { resolve, reject }
      })
    },

    keepOfLiterals: bytes => reader.keep(bytes),

    limit(next) {
      if (ended !== undefined) return
      unwatch()
      watch(next)
    },

    async startTls() {
      // A line sneaked in before the handshake must not be taken for the server's (CVE-2011-0411 and its kin).
      socket.removeAllListeners('data').removeAllListeners('close')
      answers.length = 0
      reader = newReader()
      socket = listen(connectOverTls(server, { over: socket, onData }))
      await new Promise<void>((resolve, reject) => {
        socket.once('secureConnect', resolve)
        socket.once('close', () => reject(wireFault(ended ?? 'the connection ended')))
      })
    },

    close() {
      ended ??= 'closed by us'
      answers.length = 0
      socket.resume()
      socket.destroySoon()
      // A peer that never reads must not keep the socket: destroySoon waits for what was written.
      setTimeout(() => socket.destroy(), 1_000).unref()
    },
  }
}

/** What the server said instead of doing it, or what became of the connection; imap-answers.ts knows the texts. */
export function wireFault(
  said: string,
  about: { stage: 'auth' | 'command'; status: 'NO' | 'BAD' | null } = { stage: 'command', status: null },
): PostroomError {
  const code = /\[([A-Z-]{2,30})[\] ]/i.exec(said)?.[1] ?? null
  return new PostroomError(imapAnswerFault({ ...about, code, text: said }), {
    evidence: evidenceOf(said),
    retryAfterMs: suggestedWaitMs(said),
  })
}

/** Cuts the stream into answers. `read` returns why it is no IMAP, if it is none. */
function newReader() {
  let keepLimit = literalLimit
  /** The line that is not at its end yet. */
  let begun = ''
  let text = ''
  let literals: Literal[] = []
  let literal: { bytes: Buffer; filled: number; missing: number; length: number } | undefined

  return {
    keep(bytes: number) {
      keepLimit = bytes
    },

    read(chunk: Buffer, deliver: (answer: Answer) => void): string | undefined {
      let at = 0
      while (at < chunk.length) {
        if (literal) {
          const taken = Math.min(literal.missing, chunk.length - at)
          const kept = Math.min(taken, literal.bytes.length - literal.filled)
          if (kept > 0) chunk.copy(literal.bytes, literal.filled, at, at + kept)
          literal.filled += kept
          literal.missing -= taken
          at += taken
          if (literal.missing > 0) return undefined
          literals.push({ bytes: literal.bytes, length: literal.length })
          literal = undefined
          continue
        }
        const end = chunk.indexOf(10, at)
        begun += chunk.toString('latin1', at, end < 0 ? chunk.length : end + 1)
        if (begun.length + text.length > lineLimit) return 'a line without end'
        if (end < 0) return undefined
        at = end + 1
        text += begun.replace(/\r?\n$/, '')
        begun = ''
        const announced = /\{(\d{1,10})\}$/.exec(text)?.[1]
        if (announced === undefined) {
          deliver({ text, literals })
          text = ''
          literals = []
          continue
        }
        if (literals.length >= 16) return 'too many literals in one answer'
        const length = Number(announced)
        const bytes = Buffer.allocUnsafe(Math.min(length, keepLimit))
        if (length === 0) literals.push({ bytes, length })
        else literal = { bytes, filled: 0, missing: length, length }
      }
      return undefined
    },
  }
}
