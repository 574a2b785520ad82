/** How names and times are spelled on the IMAP wire. */

/** A quoted string (RFC 3501 4.3) of a folder's path, which is in modified UTF-7 already. */
export function quoted(path: string): string {
  // Line breaks would end the command and begin another.
  return `"${path.replace(/[\r\n\0]/g, '').replace(/["\\]/g, '\\$&')}"`
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** A day for SEARCH, such as `24-Nov-2026`. */
export function searchDay(day: Date): string {
  return `${day.getUTCDate()}-${months[day.getUTCMonth()]}-${day.getUTCFullYear()}`
}

/** INTERNALDATE, such as ` 4-Nov-2026 03:17:06 +0100`. What cannot be read counts as just arrived: never as old. */
export function arrivalTime(text: string, nowMs: number): Date {
  const [, day, month = '', year, time, zone] =
    /^ ?(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d\d:\d\d:\d\d) ([+-]\d{4})$/.exec(text) ?? []
  const index = months.findIndex(name => name.toLowerCase() === month.toLowerCase())
  const iso = `${year}-${String(index + 1).padStart(2, '0')}-${String(day).padStart(2, '0')}T${time}${zone?.slice(0, 3)}:${zone?.slice(3)}`
  const ms = Date.parse(iso)
  return new Date(Number.isNaN(ms) ? nowMs : ms)
}
