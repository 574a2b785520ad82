/** Runs the CLI in this process: what a shell would see of it. */

import type { ExitCode } from '../../infra/cli/command.ts'
import { runCommandLine } from '../../infra/cli/command-line.ts'

export interface CliRun {
  code: ExitCode
  stdout: string
  stderr: string
  lines: string[]
}

export async function runCli(
  words: string[],
  {
    environment = {},
    stdin = '',
    signal = new AbortController().signal,
    onLine = () => undefined,
  }: {
    environment?: Record<string, string | undefined>
    stdin?: string
    signal?: AbortSignal
    /** Sees what is written to stdout as it is written. */
    onLine?(line: string): void
  } = {},
): Promise<CliRun> {
  const [stdout, stderr]: [Buffer[], string[]] = [[], []]
  const code = await runCommandLine(words, {
    streams: {
      stdin: (async function* () {
        yield stdin
      })(),
      stdout: {
        write(data) {
          stdout.push(Buffer.from(data))
          onLine(String(data).trimEnd())
        },
      },
      stderr: { write: text => stderr.push(text) },
    },
    environment,
    signal,
    now: Date.now,
  })
  const text = Buffer.concat(stdout).toString()
  return { code, stdout: text, stderr: stderr.join(''), lines: text.trimEnd().split('\n') }
}
