/** Runs the CDK CLI that package.json pins, as a shell without a terminal would: every AWS service is the recording account. */

import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { RecordedCall, RecordingAccount } from './recording-account.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const cdk = createRequire(import.meta.url).resolve('aws-cdk/bin/cdk')

export interface CdkRun {
  exitCode: number
  /** Stdout and stderr, without the colours. */
  text: string
  /** What this run asked of AWS. */
  calls: RecordedCall[]
}

/** @param homeFolder where the CLI keeps what it caches: the account of an access key, above all */
export async function runCdk(
  words: string[],
  account: RecordingAccount,
  homeFolder: string,
): Promise<CdkRun> {
  const callsBefore = account.calls.length
  const [exitCode, text] = await new Promise<[number, string]>(resolve => {
    execFile(
      process.execPath,
      [cdk, ...words],
      {
        cwd: root,
        env: {
          PATH: process.env.PATH,
          HOME: homeFolder,
          NO_COLOR: '1',
          // The CLI is one file of 14 MB, which Node else compiles anew each time.
          NODE_COMPILE_CACHE: join(homeFolder, 'compiled'),
          CDK_DISABLE_CLI_TELEMETRY: 'true',
          ...account.environment,
        },
      },
      (error, stdout, stderr) => resolve([error ? Number(error.code) : 0, stdout + stderr]),
    )
  })
  return { exitCode, text, calls: account.calls.slice(callsBefore) }
}
