/** Logins at the mail servers of a sandbox, and every line they are answered with. */
import type { RunningSandbox } from './running-sandbox.ts'
import { openPlain, openTls, smtpReply, type Wire, xoauth2 } from './wire.ts'

/** An Exchange session after STARTTLS and EHLO. */
export async function exchangeSession(sandbox: RunningSandbox): Promise<Wire> {
  const plain = await openPlain(sandbox.ports.smtp)
  await plain.until(smtpReply)
  plain.send('STARTTLS')
  await plain.until(smtpReply)
  const wire = await plain.secured(sandbox.ca)
  wire.send('EHLO client.example')
  await wire.until(smtpReply)
  return wire
}

/** Every line of the answer to one AUTH command with an initial response. */
export async function auth(wire: Wire, login: { user: string; token: string }): Promise<string[]> {
  wire.send(`AUTH XOAUTH2 ${xoauth2(login)}`)
  return wire.until(smtpReply)
}

/** The tagged answer to AUTHENTICATE, and all lines before it. */
export async function authenticate(
  sandbox: RunningSandbox,
  login: { user: string; token: string },
): Promise<string[]> {
  const { lines } = await imapSession(sandbox, login)
  return lines
}

/** An IMAP session after AUTHENTICATE with the tag A1, whatever came of it. */
export async function imapSession(
  sandbox: RunningSandbox,
  login: { user: string; token: string },
): Promise<{ wire: Wire; lines: string[] }> {
  const wire = await openTls(sandbox.ports.imap, sandbox.ca)
  await wire.until(/^\* OK/)
  wire.send(`A1 AUTHENTICATE XOAUTH2 ${xoauth2(login)}`)
  return { wire, lines: await wire.until(/^A1 /) }
}

/** A Gmail session after EHLO. */
export async function gmailSession(sandbox: RunningSandbox): Promise<Wire> {
  const wire = await openTls(sandbox.ports.smtps, sandbox.ca)
  await wire.until(smtpReply)
  wire.send('EHLO client.example')
  await wire.until(smtpReply)
  return wire
}
