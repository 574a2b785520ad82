/** Where a command writes: what was asked for to stdout, everything else to stderr. */

export interface Terminal {
  /** A program reads: one JSON document a line on stdout, and nothing else there. */
  json: boolean
  line(text: string): void
  bytes(data: Uint8Array): void
  /** One JSON document, for programs. */
  document(value: unknown): void
  /** Columns as wide as what they hold, for people. */
  table(head: string[], rows: string[][]): void
  /** What a person should know beside the answer. */
  note(text: string): void
  /** On one line that is written over, where a person watches; not in logs. */
  progress(text: string): void
  /** All of stdin. */
  read(): Promise<string>
}

export interface Streams {
  stdin: AsyncIterable<Uint8Array | string>
  stdout: { write(data: string | Uint8Array): unknown }
  stderr: { write(text: string): unknown; isTTY?: boolean }
}

const eraseLine = '\r\x1b[2K'

export function openTerminal({ stdin, stdout, stderr }: Streams, { json }: { json: boolean }): Terminal {
  let isLineOpen = false
  const endProgress = () => {
    if (isLineOpen) stderr.write(eraseLine)
    isLineOpen = false
  }
  const line = (text: string) => {
    endProgress()
    stdout.write(`${printable(text)}\n`)
  }
  return {
    json,
    line,
    bytes: data => {
      endProgress()
      stdout.write(data)
    },
    document: value => {
      endProgress()
      stdout.write(`${JSON.stringify(value)}\n`)
    },
    table: (head, rows) => {
      for (const text of tableLines(head, rows)) line(text)
    },
    note: text => {
      endProgress()
      stderr.write(`${printable(text)}\n`)
    },
    progress: text => {
      if (!stderr.isTTY) return
      stderr.write(`${eraseLine}${printable(text)}`)
      isLineOpen = text !== ''
    },
    async read() {
      const parts: Buffer[] = []
      for await (const part of stdin) parts.push(Buffer.from(part))
      return Buffer.concat(parts).toString('utf8')
    },
  }
}

/** Subjects and names come from strangers: none may move the cursor or colour the screen. */
export function printable(text: string): string {
  return text.replace(/(?![\n\t])[\p{Cc}\p{Bidi_C}]/gu, '\ufffd')
}

function tableLines(head: string[], rows: string[][]): string[] {
  const oneLine = rows.map(row => row.map(cell => printable(cell.replace(/\s+/g, ' '))))
  const widths = head.map((title, column) =>
    Math.max(title.length, ...oneLine.map(row => (row[column] ?? '').length)),
  )
  const line = (cells: string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  return [head, widths.map(width => '─'.repeat(width)), ...oneLine].map(line)
}
