/** Moves every time in a recording, so that it looks as if it had been made lately. */

import type { Json } from '../../infra/local/as-app.ts'

const iso = /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?Z/g
/** Epoch seconds or milliseconds of 2026 and 2027, also within JSON that is kept as text. */
const epoch = /(?<![\w"'.-])1[78]\d{8}(?:\d{3})?(?![\w"'.-])/g

const isEpoch = new RegExp(`^${epoch.source}$`)

/** Access tokens say themselves when they end, and are sealed: so that nobody takes them for younger, they have ended. */
const ended = { expiresAtMs: 0, refreshAtMs: 0 }

/** @returns a copy; bytes (`text`, `base64`) are left as they are */
export function laterBy<T>(shiftMs: number, value: T): T {
  return moved(value, shiftMs) as T
}

function moved(value: Json, shiftMs: number): Json {
  if (typeof value === 'string') return textMoved(value, shiftMs)
  if (typeof value === 'number') return isEpoch.test(String(value)) ? laterNumber(value, shiftMs) : value
  if (Array.isArray(value)) return value.map(entry => moved(entry, shiftMs))
  if (value === null || typeof value !== 'object' || isBytes(value)) return value
  const all = Object.entries(value).map(([name, entry]) => [name, moved(entry, shiftMs)])
  return { ...Object.fromEntries(all), ...(value.sk === 'GRANT' && ended) }
}

function textMoved(text: string, shiftMs: number): string {
  const later = text.replace(iso, time => laterText(time, shiftMs))
  // A text of digits alone may be a UIDVALIDITY.
  if (!text.startsWith('{') && !text.startsWith('[')) return later
  return later.replace(epoch, number => String(laterNumber(Number(number), shiftMs)))
}

function isBytes(value: object): boolean {
  const [name, ...others] = Object.keys(value)
  return others.length === 0 && (name === 'text' || name === 'base64')
}

function laterText(text: string, shiftMs: number): string {
  const later = new Date(Date.parse(text) + shiftMs).toISOString()
  return text.includes('.') ? later : later.replace(/\.\d{3}Z$/, 'Z')
}

function laterNumber(value: number, shiftMs: number): number {
  return value < 1e11 ? value + Math.floor(shiftMs / 1000) : value + shiftMs
}
