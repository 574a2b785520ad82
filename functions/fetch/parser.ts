/**
 * Parses mail where it can do no harm: in a worker thread with a limit of time and of memory. 20 MB of empty lines take
 * mailparser out of 300 MB of heap, and 500 parts within each other keep it busy for minutes; on the function's own
 * thread that would end the function, and the mailbox would never get past that mail.
 */

import { Worker } from 'node:worker_threads'
import { PostroomError } from '../channel/faults.ts'
import type { ParseAnswer } from './parse-worker.ts'
import type { ParsedMail } from './parsed-mail.ts'

export interface Parser {
  /** @throws PostroomError `mail_unreadable`, with what stood in the way as evidence */
  parse(raw: Uint8Array): Promise<ParsedMail>
  /** Ends the worker; the next mail would begin another. */
  close(): Promise<void>
}

export interface ParserLimits {
  /** Of one mail, once it is its turn. */
  timeMs: number
  /** Of the worker's heap; bytes of attachments come on top, and are bounded by the mail's size. */
  heapMegabytes: number
}

/** A mail of 25 MB takes 0.4 s on a whole core. A function of 512 MB has a third of one. */
const defaultLimits: ParserLimits = { timeMs: 8_000, heapMegabytes: 160 }

/** Beside this file: as source in tests, as a bundle beside the function's own. */
const workerFile = new URL(
  import.meta.url.endsWith('.ts') ? './parse-worker.ts' : './parse-worker.mjs',
  import.meta.url,
)

export function openParser(limits: ParserLimits = defaultLimits): Parser {
  let worker: Worker | undefined
  /** One mail at a time, so that memory is that of one mail. */
  let last: Promise<unknown> = Promise.resolve()

  function start(): Worker {
    const started = new Worker(workerFile, {
      resourceLimits: { maxOldGenerationSizeMb: limits.heapMegabytes, maxYoungGenerationSizeMb: 32 },
      // What a parser writes may be mail.
      stdout: true,
      stderr: true,
    })
    // Nobody has to wait for it to end.
    started.unref()
    started.stdout.resume()
    started.stderr.resume()
    return started
  }

  async function stop(): Promise<void> {
    const stopped = worker
    worker = undefined
    await stopped?.terminate()
  }

  async function parseNow(raw: Uint8Array): Promise<ParsedMail> {
    worker ??= start()
    const answer = await answerOf(worker, raw, limits.timeMs)
    if ('mail' in answer) return answer.mail
    if (answer.isBroken) await stop()
    throw new PostroomError('mail_unreadable', { evidence: answer.error })
  }

  return {
    parse(raw) {
      const turn = last.then(() => parseNow(raw))
      last = turn.catch(() => undefined)
      return turn
    },
    close: stop,
  }
}

function answerOf(
  worker: Worker,
  raw: Uint8Array,
  timeMs: number,
): Promise<ParseAnswer & { isBroken?: boolean }> {
  return new Promise(resolve => {
    const broken = (error: string) => finish({ error, isBroken: true })
    const onMessage = (answer: ParseAnswer) => finish(answer)
    const onError = (error: Error & { code?: string }) =>
      broken(error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'needs too much memory' : (error.code ?? error.name))
    const onExit = () => broken('the parser ended')
    const timer = setTimeout(() => broken(`takes longer than ${timeMs} ms`), timeMs)
    worker.on('message', onMessage).on('error', onError).on('exit', onExit)
    worker.ref()
    function finish(answer: ParseAnswer & { isBroken?: boolean }) {
      clearTimeout(timer)
      worker.off('message', onMessage).off('error', onError).off('exit', onExit)
      // Whatever else it reports while it ends is of no interest, and must not end the process.
      if (answer.isBroken) worker.on('error', () => {})
      worker.unref()
      resolve(answer)
    }
    // A copy of its own moves there: the caller's bytes may be a piece of something larger.
    const copy = new Uint8Array(raw)
    worker.postMessage(copy, [copy.buffer])
  })
}
