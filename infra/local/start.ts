/** `npm start`: launches the system in a child that trusts the sandbox's certificate, and takes it down again. */

import { fork } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { localhostCertificate } from '../sandbox/certificate.ts'
import { homeFolder } from './home-folder.ts'
import { errorCodeOf, LocalError } from './local-error.ts'

/** SIGTERM must end everything within ten seconds. */
const stopWithinMs = 9_000

/** Node reads extra certificate authorities once, when a process begins: hence the child. */
async function authoritiesFile(folder: string): Promise<string> {
  const { cert } = await localhostCertificate(join(folder, 'sandbox'))
  const own = process.env.NODE_EXTRA_CA_CERTS
  const given = own
    ? await readFile(own, 'utf8').catch(error => {
        throw new LocalError(`The file ${own} of NODE_EXTRA_CA_CERTS cannot be read (${errorCodeOf(error)}).`)
      })
    : ''
  const file = join(folder, 'authorities.pem')
  await writeFile(file, `${given}\n${cert}`)
  return file
}

async function start(): Promise<void> {
  const folder = await homeFolder(process.env)
  const child = fork(fileURLToPath(new URL('serve.ts', import.meta.url)), {
    // A laptop's memory is worth more than this process's speed: V8 keeps its many heaps small.
    execArgv: [...process.execArgv, '--optimize-for-size'],
    // glibc would keep a pool of free memory for each of the many threads.
    env: { MALLOC_ARENA_MAX: '2', ...process.env, NODE_EXTRA_CA_CERTS: await authoritiesFile(folder) },
  })
  let asked = false
  const stop = () => {
    if (asked) return
    asked = true
    child.disconnect()
    setTimeout(() => child.kill('SIGKILL'), stopWithinMs).unref()
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  process.on('SIGHUP', stop)
  child.on('exit', code => {
    process.exitCode = asked ? 0 : (code ?? 1)
  })
}

try {
  await start()
} catch (error) {
  if (!(error instanceof LocalError)) throw error
  console.error(error.message)
  process.exitCode = 1
}
