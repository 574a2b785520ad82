/** A process of its own that fetches one mailbox as Postroom does, keeps nothing, and prints its peak memory in KiB. Without arguments it connects to nothing. */

import { fetchByPostroom } from './imap-clients.ts'

const [port, user = '', token = ''] = process.argv.slice(2)
if (port !== undefined) await fetchByPostroom({ port: Number(port), user, token }, () => undefined)
console.log(process.resourceUsage().maxRSS)
