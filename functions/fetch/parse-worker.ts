/** Runs in a worker thread of its own, and in a bundle of its own: parses one mail after another for parser.ts. */

import { parentPort } from 'node:worker_threads'
import { parseMail } from './parse.ts'
import type { ParsedMail } from './parsed-mail.ts'

export type ParseAnswer = { mail: ParsedMail } | { error: string }

parentPort?.on('message', async (raw: Uint8Array) => {
  const { answer, bytes } = await parsed(raw)
  // Moved, not copied: attachments are the larger part of a large mail.
  parentPort?.postMessage(answer, bytes)
})

async function parsed(raw: Uint8Array): Promise<{ answer: ParseAnswer; bytes: ArrayBuffer[] }> {
  try {
    const mail = await parseMail(raw)
    const own = mail.attachments.map(attachment => {
      // Small buffers share memory with others, which must not move away with them.
      if (attachment.bytes.byteLength !== attachment.bytes.buffer.byteLength)
        attachment.bytes = Uint8Array.from(attachment.bytes)
      return attachment.bytes.buffer as ArrayBuffer
    })
    return { answer: { mail }, bytes: own }
  } catch (error) {
    // Of the parser's own text nothing is passed on: it may repeat the mail.
    const code = error instanceof Error && 'code' in error ? String(error.code) : undefined
    return { answer: { error: code ?? (error instanceof Error ? error.name : 'unknown') }, bytes: [] }
  }
}
