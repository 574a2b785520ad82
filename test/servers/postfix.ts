/** A private Postfix: submission with STARTTLS and XOAUTH2 for mailbox owners, and a way in for the rest of the world. */

import { execFile } from 'node:child_process'
import { chmod, chown, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from '../../infra/local/free-port.ts'
import { addressesOf, type Persona } from '../../infra/sandbox/personas.ts'
import { startGuarded, whenListening } from './guarded-process.ts'
import { postfixMaster, postfixProgram } from './installed.ts'

export interface PostfixOptions {
  /** Its own; must be world-traversable, since its workers are other users. */
  folder: string
  certificate: { key: string; cert: string }
  /** Dovecot's. */
  saslPort: number
  lmtpPort: number
  personas: readonly Persona[]
}

export interface Postfix {
  /** Asks for STARTTLS and a login. */
  submissionPort: number
  /** Takes mail for the mailboxes here from anybody, as a port 25 does. */
  worldPort: number
  log(): Promise<string>
  stop(): Promise<void>
}

/** An address that Postfix refuses at RCPT TO, as a provider refuses one that does not exist. */
export const unknownRecipient = 'nobody@contoso.example'

export async function startPostfix(options: PostfixOptions): Promise<Postfix> {
  const { folder, certificate } = options
  const [submissionPort, worldPort] = [await freePort(), await freePort()]
  const [settings, data] = [join(folder, 'etc'), join(folder, 'data')]
  for (const path of [folder, settings, join(folder, 'spool')]) {
    await mkdir(path, { recursive: true })
    await chmod(path, 0o755)
  }
  await mkdir(data, { recursive: true })
  // Postfix's own folder of caches must belong to its own user, whose number the package chose.
  const { uid, gid } = await stat('/var/lib/postfix')
  await chown(data, uid, gid)
  await writeFile(join(settings, 'cert.pem'), certificate.cert)
  await writeFile(join(settings, 'key.pem'), certificate.key, { mode: 0o600 })
  await writeFile(join(settings, 'main.cf'), mainSettings(options))
  await writeFile(join(settings, 'master.cf'), services({ submissionPort, worldPort }))

  const log = () => readFile(join(folder, 'mail.log'), 'utf8').catch(() => 'no log')
  // `postfix start-fg` would put a shell between us and the master, which would not pass the signal on.
  await promisify(execFile)(postfixProgram, ['-c', settings, 'check'])
  const server = startGuarded(postfixMaster, ['-c', settings, '-s'])
  const explain = async () => `${server.output()}\n${await log()}`
  try {
    await whenListening(submissionPort, explain)
    await whenListening(worldPort, explain)
  } catch (error) {
    await server.stop()
    throw error
  }
  return { submissionPort, worldPort, log, stop: () => server.stop() }
}

/** @see https://www.postfix.org/postconf.5.html */
function mainSettings({ folder, saslPort, lmtpPort, personas }: PostfixOptions): string {
  const addresses = personas.flatMap(persona =>
    addressesOf(persona).map(address => ({ address, upn: persona.signInName })),
  )
  const domains = new Set(addresses.map(({ address }) => address.slice(address.lastIndexOf('@') + 1)))
  const owners = addresses.map(({ address, upn }) => `${address}=${upn}`).join(', ')
  const aliases = addresses
    .filter(({ address, upn }) => address !== upn)
    .map(({ address, upn }) => `${address}=${upn}`)
    .join(', ')
  return `
compatibility_level = 3.6
config_directory = ${folder}/etc
queue_directory = ${folder}/spool
data_directory = ${folder}/data
daemon_directory = ${dirname(postfixMaster)}
shlib_directory = /usr/lib/postfix
command_directory = /usr/sbin
meta_directory = /etc/postfix
maillog_file = ${folder}/mail.log
maillog_file_prefixes = ${folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.contoso.example
mydestination =
mynetworks =
local_recipient_maps =
alias_maps =
# No mail leaves this machine.
default_transport = discard
virtual_mailbox_domains = ${[...domains].join(', ')}
virtual_mailbox_maps = static:ok
virtual_alias_maps = inline:{ ${aliases} }
virtual_transport = lmtp:inet:127.0.0.1:${lmtpPort}
# Mail goes on as it came, also with lines that RFC 5321 forbids.
lmtp_line_length_limit = 0
message_size_limit = 36700160
# The rest of the corpus need not wait because one delivery takes its time.
in_flow_delay = 0
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_tls_cert_file = ${folder}/etc/cert.pem
smtpd_tls_key_file = ${folder}/etc/key.pem
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:${saslPort}
smtpd_error_sleep_time = 0
smtpd_recipient_restrictions = check_recipient_access inline:{ {${unknownRecipient} = 550 5.1.1 No such mailbox} }
# As Exchange's SendAsDenied: nobody sends as an address of somebody else.
smtpd_sender_login_maps = inline:{ ${owners} }
`
}

/** One line per program of Postfix: service, type, private, unprivileged, chroot, wakeup, limit, command. */
function services({ submissionPort, worldPort }: { submissionPort: number; worldPort: number }): string {
  return `
127.0.0.1:${submissionPort} inet n - n - - smtpd
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
  -o smtpd_sender_restrictions=reject_sender_login_mismatch
127.0.0.1:${worldPort} inet n - n - - smtpd
  -o smtpd_relay_restrictions=reject_unauth_destination
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
discard unix - - n - - discard
error unix - - n - - error
retry unix - - n - - error
lmtp unix - - n - - lmtp
smtp unix - - n - - smtp
postlog unix-dgram n - n - 1 postlogd
`
}
