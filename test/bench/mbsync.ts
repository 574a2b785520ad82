/** mbsync (Debian: isync), the fastest mail fetcher we know: in C, and it keeps what it fetched as files. */

import { execFile } from 'node:child_process'
import { accessSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type MailServerUnderTest, passwordOfAll } from './mail-server.ts'

const program = '/usr/bin/mbsync'
/** It holds a connection for each until it ends, and Dovecot takes a hundred. */
const usersPerRun = 50

export function hasMbsync(): boolean {
  try {
    accessSync(program)
    return true
  } catch {
    return false
  }
}

/** @returns a function that pulls what is new in all these mailboxes, one after the other, and tells its CPU in ms */
export async function openMbsync(
  server: MailServerUnderTest,
  { name, users }: { name: string; users: string[] },
): Promise<() => Promise<number>> {
  const home = join(server.folder, name)
  await mkdir(home, { recursive: true })
  const files: string[] = []
  for (let first = 0; first < users.length; first += usersPerRun) {
    const file = join(home, `mbsyncrc-${first}`)
    const own = users.slice(first, first + usersPerRun)
    await writeFile(file, own.map(user => storesOf(server, { home, user })).join('\n'))
    files.push(file)
  }
  return async () => {
    const script = 'for file; do "$0" -q -c "$file" -a 1>&2 || exit 1; done; times'
    const { stdout, stderr } = await promisify(execFile)('/bin/bash', ['-c', script, program, ...files])
    // `times`: the shell's own line, then that of its children, such as 0m0.012s 0m0.034s.
    const [user, system] = (stdout.trim().split('\n')[1] ?? '').split(' ').map(seconds)
    if (user === undefined || system === undefined) throw new Error(`mbsync: ${stderr}`)
    return (user + system) * 1000
  }
}

function storesOf(server: MailServerUnderTest, { home, user }: { home: string; user: string }): string {
  return `IMAPStore ${user}-far
Host localhost
Port ${server.port}
User ${user}
Pass ${passwordOfAll}
AuthMechs PLAIN
SSLType IMAPS
CertificateFile ${server.certFile}

MaildirStore ${user}-near
Inbox ${home}/${user}

Channel ${user}
Far :${user}-far:
Near :${user}-near:
Sync Pull New
Create Near
SyncState *
`
}

function seconds(text: string): number {
  const [, minutes = 0, rest = 0] = /(\d+)m([\d.]+)s/.exec(text) ?? []
  return Number(minutes) * 60 + Number(rest)
}
