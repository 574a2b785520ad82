/**
 * A message as full as it may be where room is limited: in an event (SNS takes 256 KiB for everything), in a list, in
 * an answer of the API (Lambda gives back 6 MB at most). What is shorter than the message's own is named in
 * `truncated`, and `GET /v1/messages/{id}` has it; the raw bytes always have all of it.
 */

import { eventJson } from './event-json.ts'
import type { Message, MessageContent } from './messages.ts'
import { presentMessage } from './shown-message.ts'

/** This leaves room for what is around the message, in an event and in the envelope that SNS puts around it. */
const eventLimitBytes = 190_000
const shortListLength = 20
const shortestListLength = 10

type Presented = ReturnType<typeof presentMessage>

export type ShortMessage = Presented & {
  /** Names of the fields that are shorter here than in the message, or left out (null). */
  truncated: string[]
  /** How many there are, where `attachments` does not list all. */
  attachmentCount?: number
}

export function presentForEvent(message: Message, content: MessageContent): ShortMessage {
  return fitting(presentMessage(message, content), eventLimitBytes)
}

/** What an app misses least goes first: what was quoted it has seen, of HTML a text is there, of a crowd the first will do. */
const steps: ((short: ShortMessage, excess: number) => ShortMessage)[] = [
  ...(['html', 'quoted', 'htmlSanitized', 'signature'] as const).map(
    field => (short: ShortMessage) => withoutMarkup(short, field),
  ),
  short => withShortLists(short, shortListLength),
  // A long text stands there once more as the reply; of the two the reply is shown.
  (short, excess) => withBeginning(short, 'text', excess),
  (short, excess) => withBeginning(short, 'reply', excess),
  short => withShortLists(short, shortestListLength),
]

export function fitting(presented: Presented, limitBytes: number): ShortMessage {
  let short: ShortMessage = { ...presented, truncated: [] }
  for (const step of steps) {
    const excess = sizeOf(short) - limitBytes
    if (excess <= 0) return short
    short = step(short, excess)
  }
  return short
}

function bodyOf(short: ShortMessage, field: string): string | null {
  const value: unknown = field in short ? Reflect.get(short, field) : null
  return typeof value === 'string' ? value : null
}

/** Markup that ends in the middle is none. */
function withoutMarkup(short: ShortMessage, field: string): ShortMessage {
  if (bodyOf(short, field) === null) return short
  return { ...short, [field]: null, truncated: [...short.truncated, field] }
}

/** Of a text the beginning is better than nothing. */
function withBeginning(short: ShortMessage, field: string, excess: number): ShortMessage {
  const text = bodyOf(short, field)
  if (text === null) return short
  const shorter = beginning(text, sizeOf(text) - excess)
  return { ...short, [field]: shorter, truncated: [...short.truncated, field] }
}

/** @returns as much of the text as takes so many bytes as JSON; null if that is not worth showing */
function beginning(text: string, bytes: number): string | null {
  let length = Math.min(text.length, Math.max(0, bytes))
  for (let size = sizeOf(text.slice(0, length)); length > 0 && size > bytes; ) {
    // By as much as it is too long, and a little more, since letters differ in length.
    length = Math.floor(length * (bytes / size) * 0.98)
    size = sizeOf(text.slice(0, length))
  }
  // Not between the two halves of a letter.
  return length < 100 ? null : text.slice(0, length).replace(/[\ud800-\udbff]$/, '')
}

function withShortLists(short: ShortMessage, length: number): ShortMessage {
  const lists = [
    'attachments',
    'from',
    'to',
    'cc',
    'bcc',
    'replyTo',
    'references',
    'rejectedRecipients',
    'bounces',
  ]
  const cut = lists.flatMap(name => {
    const list: unknown = name in short ? Reflect.get(short, name) : undefined
    return Array.isArray(list) && list.length > length ? [{ name, list }] : []
  })
  return {
    ...short,
    // The nearest ancestors stand at the end.
    ...Object.fromEntries(
      cut.map(({ name, list }) => [
        name,
        name === 'references' ? list.slice(-length) : list.slice(0, length),
      ]),
    ),
    truncated: [...new Set([...short.truncated, ...cut.map(({ name }) => name)])],
    attachmentCount: short.attachmentCount ?? short.attachments.length,
  }
}

function sizeOf(value: unknown): number {
  return Buffer.byteLength(eventJson(value))
}
