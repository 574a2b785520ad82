/** The header lines of a mail, unfolded, as they were written. */

export interface Headers {
  /** The first of that name (lower case), as mail programs show it. */
  first(name: string): string | undefined
  all(name: string): string[]
}

/** No header that means something to us is longer; what is, is cut. */
const valueLimit = 2_000

export function headersOf(lines: readonly { key: string; line: string }[]): Headers {
  const all = (name: string) =>
    lines
      .filter(({ key }) => key === name)
      .map(({ line }) => unfolded(line.slice(line.indexOf(':') + 1, valueLimit)))
  return {
    all,
    first: name => {
      const found = lines.find(({ key }) => key === name)
      return found && unfolded(found.line.slice(found.line.indexOf(':') + 1, valueLimit))
    },
  }
}

/** Headers that stand in a body: of a mail that came back, of a machine-readable report. */
export function headersIn(text: string): Headers {
  const whole = text.replace(/\r\n?/g, '\n').replace(/\n[ \t]+/g, ' ')
  const lines = whole.split('\n').flatMap(line => {
    const key = /^([!-9;-~]{1,100})\s*:/.exec(line)?.[1]
    return key === undefined ? [] : [{ key: key.toLowerCase(), line }]
  })
  return headersOf(lines)
}

function unfolded(text: string): string {
  return text
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim()
    .toWellFormed()
}
