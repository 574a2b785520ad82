/** The one SMTP session of a drain: opened when the first mail is to leave, opened anew when the server has had enough of it. */

import type { Channel, Channels } from '../channel/channels.ts'
import { asPostroomError, type PostroomError } from '../channel/faults.ts'
import type { Health } from '../channel/health.ts'
import { type Providers, providerOf } from '../channel/provider.ts'
import { settleRefusal } from '../channel/recheck.ts'
import type { SmtpLogin, SmtpSession } from '../channel/smtp.ts'
import type { Tokens } from '../channel/tokens.ts'

export interface LineServices {
  channels: Channels
  tokens: Tokens
  providers: Providers
  health: Health
  openSmtp(login: SmtpLogin): Promise<SmtpSession>
  now(): number
}

export interface Line {
  /** @throws PostroomError of the broker or the server: the channel's trouble, not a message's */
  session(): Promise<SmtpSession>
  /** A mail was dealt with over this session. */
  used(): void
  /** Whether a mail has been dealt with over any session of this line. */
  wasUsed(): boolean
  /** Many servers end a session after so many mails. A session that took some may be followed by another at once. */
  isWorn(error: PostroomError): boolean
  /** Gives up the session, if there is one. */
  drop(): void
}

export function openLine(channel: Channel, services: LineServices): Line {
  let session: SmtpSession | undefined
  let usesOfSession = 0
  let uses = 0
  return {
    async session() {
      if (session?.isOpen()) return session
      usesOfSession = 0
      session = await openSession(channel, services)
      return session
    },
    used() {
      usesOfSession += 1
      uses += 1
    },
    wasUsed: () => uses > 0,
    isWorn: error => error.code === 'smtp_unreachable' && usesOfSession > 0,
    drop() {
      session?.close()
      session = undefined
      usesOfSession = 0
    },
  }
}

/**
 * A refused login is looked into before it counts: with a fresh token, under the names a fresh id_token
 * gives. So a renamed or wrongly stored login heals by itself (rows S8, S9).
 */
async function openSession(channel: Channel, services: LineServices): Promise<SmtpSession> {
  const { tokens, providers, openSmtp } = services
  const { smtp: server } = providerOf(providers, channel.provider)
  const accessToken = await tokens.accessToken(channel)
  try {
    return await openSmtp({ server, user: channel.login.smtp, accessToken })
  } catch (error) {
    const refusal = asPostroomError(error)
    const healed = await settleRefusal(channel, { protocol: 'smtp', refusal }, services)
    return openSmtp({ server, user: healed.login.smtp, accessToken: await tokens.accessToken(healed) })
  }
}
