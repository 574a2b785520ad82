/** Runs a server that never outlives the tests: also when their process is killed, a shell between the two ends it. */

import { spawn } from 'node:child_process'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export interface GuardedProcess {
  /** What it wrote so far, to both of its outputs. */
  output(): string
  /** Asks it to end by SIGTERM, and insists after five seconds. */
  stop(): Promise<void>
}

/**
 * The shell's input is a pipe of ours. The kernel closes our end whichever way we end, and then `cat` is through.
 * The shell is in a session of its own, so that Ctrl-C in a terminal reaches us and not it.
 */
const guard = `
"$@" </dev/null & server=$!
cat >/dev/null
kill -TERM $server
(sleep 5; kill -KILL $server) &
wait $server
trap '' TERM
kill -TERM 0 # whatever the server left behind, and the sleeper
`

/** Starts the program; that it could be started is for the caller to find out, by `whenListening`. */
export function startGuarded(command: string, args: string[]): GuardedProcess {
  const shell = spawn('/bin/sh', ['-c', guard, 'guard', command, ...args], {
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const exited = new Promise(resolve => shell.once('exit', resolve))
  let output = ''
  for (const stream of [shell.stdout, shell.stderr]) {
    stream.setEncoding('utf8').on('data', text => {
      output += text
    })
  }
  // The pipe breaks when the shell is gone; that is no news.
  shell.stdin.on('error', () => {})
  return {
    output: () => output,
    async stop() {
      shell.stdin.end()
      await exited
    },
  }
}

const listenTimeoutMs = 15_000

/** @throws Error with what `explain` tells, if nobody listens on the port within 15 seconds */
export async function whenListening(port: number, explain: () => Promise<string> | string): Promise<void> {
  const deadlineMs = Date.now() + listenTimeoutMs
  while (!(await isListening(port))) {
    if (Date.now() > deadlineMs) throw new Error(`Nobody listens on port ${port}: ${await explain()}`)
    await sleep(20)
  }
}

export function isListening(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
