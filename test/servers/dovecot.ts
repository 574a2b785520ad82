/** A private Dovecot: IMAP over TLS, LMTP, and the check of logins for Postfix. Tokens are asked about at the sandbox. */

import { chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../../infra/local/free-port.ts'
import { addressesOf, type Persona } from '../../infra/sandbox/personas.ts'
import { startGuarded, whenListening } from './guarded-process.ts'
import { dovecotProgram } from './installed.ts'

export interface DovecotOptions {
  /** Its own; must be world-traversable, since its workers are other users. */
  folder: string
  certificate: { key: string; cert: string }
  /** Of the sandbox, which answers as RFC 7662 wants. */
  introspectionUrl: string
  /** Whose mailboxes have further addresses. */
  personas: readonly Persona[]
  /** Lets everybody in by PLAIN with this: for programs that know no XOAUTH2. */
  passwordOfAll?: string
}

export interface Dovecot {
  imapPort: number
  lmtpPort: number
  saslPort: number
  /** The Maildir of a mailbox, by its UPN. */
  maildir(upn: string): string
  stop(): Promise<void>
  /** After `stop`, on the same ports and mailboxes. */
  start(): Promise<void>
  /** What is left is what a restored server has: the mails of the inbox, and nothing known about their numbers. */
  forgetNumbers(upn: string): Promise<void>
}

/** The owner of all mail. No such user need exist. */
const mailUserId = 5000

export async function startDovecot(options: DovecotOptions): Promise<Dovecot> {
  const { folder, certificate, personas } = options
  const [imapPort, lmtpPort, saslPort] = [await freePort(), await freePort(), await freePort()]
  const mail = join(folder, 'mail')
  const file = (name: string) => join(folder, name)
  await mkdir(mail, { recursive: true })
  await chmod(mail, 0o777)
  await writeFile(file('cert.pem'), certificate.cert)
  await writeFile(file('key.pem'), certificate.key, { mode: 0o600 })
  await writeFile(file('aliases.passwd'), aliasesOf(personas))
  await writeFile(file('oauth2.conf.ext'), introspection(options.introspectionUrl))
  await writeFile(
    file('dovecot.conf'),
    configuration({ folder, imapPort, lmtpPort, saslPort, passwordOfAll: options.passwordOfAll }),
  )

  const log = () => readFile(file('dovecot.log'), 'utf8').catch(() => 'no log')
  async function start() {
    const server = startGuarded(dovecotProgram, ['-F', '-c', file('dovecot.conf')])
    await whenListening(imapPort, async () => `${server.output()}\n${await log()}`).catch(async error => {
      await server.stop()
      throw error
    })
    return server
  }

  let running = await start()
  const maildir = (upn: string) => join(mail, upn.toLowerCase(), 'Maildir')
  return {
    imapPort,
    lmtpPort,
    saslPort,
    maildir,
    stop: () => running.stop(),
    async start() {
      running = await start()
    },
    async forgetNumbers(upn) {
      await running.stop()
      for (const name of await readdir(maildir(upn))) {
        if (name.startsWith('dovecot')) await rm(join(maildir(upn), name), { recursive: true })
      }
      running = await start()
    },
  }
}

/**
 * Exchange's rule: IMAP takes any address of the mailbox as `user=`, SMTP only the token's UPN. The key begins with
 * the service that asks, so that these renamings exist for IMAP alone; Postfix asks as `smtp`.
 */
function aliasesOf(personas: readonly Persona[]): string {
  return personas
    .flatMap(persona =>
      addressesOf(persona)
        .filter(address => address !== persona.signInName)
        .map(alias => `imap/${alias}:::::::user=${persona.signInName} nopassword=y\n`),
    )
    .join('')
}

/** @see https://doc.dovecot.org/2.3/configuration_manual/authentication/oauth2/ */
function introspection(url: string): string {
  return `introspection_url = ${url}
introspection_mode = post
active_attribute = active
active_value = true
username_attribute = username
username_format = %Lu
`
}

interface Places {
  folder: string
  imapPort: number
  lmtpPort: number
  saslPort: number
  passwordOfAll: string | undefined
}

/** In the syntax of Dovecot 2.3 (Debian 12); 2.4 has another. */
function configuration({ folder, imapPort, lmtpPort, saslPort, passwordOfAll }: Places): string {
  const passwords =
    passwordOfAll === undefined
      ? ''
      : `passdb {
  driver = static
  mechanisms = plain
  args = password=${passwordOfAll}
}`
  return `
base_dir = ${folder}/run
state_dir = ${folder}/state
instance_name = postroom-test
log_path = ${folder}/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <${folder}/cert.pem
ssl_key = <${folder}/key.pem
# Exchange has no OAUTHBEARER, which clients would prefer.
auth_mechanisms = xoauth2${passwordOfAll === undefined ? '' : ' plain'}
auth_verbose = yes
auth_failure_delay = 0
first_valid_uid = ${mailUserId}
mail_location = maildir:~/Maildir
mail_fsync = never
userdb {
  driver = static
  args = uid=${mailUserId} gid=${mailUserId} home=${folder}/mail/%Lu allow_all_users=yes
}
passdb {
  driver = passwd-file
  args = username_format=%s/%Lu ${folder}/aliases.passwd
  mechanisms = xoauth2
  result_success = continue
  result_failure = continue
}
passdb {
  driver = oauth2
  mechanisms = xoauth2
  args = ${folder}/oauth2.conf.ext
}
${passwords}
namespace inbox {
  inbox = yes
  separator = /
  mailbox Sent {
    special_use = \\Sent
    auto = create
  }
}
# Processes that stay, as a provider's do: only they know what a client has kept of an earlier TLS handshake.
service imap-login {
  service_count = 0
  inet_listener imap {
    port = 0
  }
  inet_listener imaps {
    port = ${imapPort}
    ssl = yes
  }
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = ${lmtpPort}
  }
}
service auth {
  inet_listener sasl {
    address = 127.0.0.1
    port = ${saslPort}
  }
}
# Without this, every login after a refused one waits for seconds.
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service stats {
  unix_listener stats-writer {
    mode = 0666
  }
}
`
}
