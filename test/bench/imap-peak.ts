/** A process of its own that fetches one mailbox as Postroom does, keeps nothing, and prints its peak memory in KiB. Without arguments it connects to nothing. */

import { readFileSync } from 'node:fs'
import { fetchByPostroom } from './imap-clients.ts'

const [port, user = '', token = ''] = process.argv.slice(2)
if (port !== undefined) await fetchByPostroom({ port: Number(port), user, token }, () => undefined)
// Of this program alone: `maxRSS` begins with what the process had that started it.
console.log(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1])
