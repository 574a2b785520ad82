/** Between sign-in and channel: the new token is tried at both mail servers, so that what connects can also send. */

import { judgeProbe } from '../channel/access.ts'
import { type ActivationServices, activate } from '../channel/activation.ts'
import { type Candidate, type ConnectSession, confirmationLifeMs } from '../channel/connect-sessions.ts'
import { asPostroomError, describeFault, PostroomError } from '../channel/faults.ts'
import { type ForgetServices, forgetGrant } from '../channel/forget-grant.ts'
import type { HttpAnswer, HttpRequest } from '../channel/http.ts'
import { errorForLog, log } from '../channel/log.ts'
import { probeMailbox } from '../channel/probe.ts'
import { providerOf } from '../channel/provider.ts'
import { proveSendAs } from '../channel/send-as-proof.ts'
import { adminConsentUrl } from './admin-consent.ts'
import { againPath } from './begin.ts'
import { redirect } from './page.ts'
import { donePage, failurePage } from './result-pages.ts'
import { browserSecret, matchesHash, splitTicket } from './ticket.ts'

export type CheckServices = ActivationServices & ForgetServices & { publicUrl: string }

/** A silent mail server costs this once per protocol; API Gateway gives the whole request 30 seconds. */
const probeTimeoutMs = 5_000

/**
 * Tries the mail servers, or shows again how it went.
 * @throws PostroomError `ticket_invalid`, `browser_mismatch`, `ticket_expired`
 */
export async function continueCheck(request: HttpRequest, services: CheckServices): Promise<HttpAnswer> {
  const { sessionId } = splitTicket(request.pathParameters?.ticket ?? '')
  const session = await services.sessions.find(sessionId)
  if (!session) throw new PostroomError('ticket_invalid')
  const cookie = browserSecret(request)
  if (cookie === undefined || !matchesHash(cookie, session.cookieHash))
    throw new PostroomError('browser_mismatch')
  if (session.state === 'expired') throw new PostroomError('ticket_expired')
  if (session.state !== 'checking' || session.candidate === null) return outcomePage(session)
  try {
    return await finishCheck(session, services)
  } catch (thrown) {
    return failSession(session, thrown, services)
  }
}

/** @throws PostroomError `mailbox_unusable` if neither server lets the account in */
export async function finishCheck(session: ConnectSession, services: CheckServices): Promise<HttpAnswer> {
  return outcomePage(await checkMailbox(session, services))
}

/**
 * @returns the session afterwards: it awaits its confirmation, or has it
 * @throws PostroomError `mailbox_unusable` as above
 */
export async function checkMailbox(
  session: ConnectSession,
  services: CheckServices,
): Promise<ConnectSession> {
  const { sessions, now } = services
  if (session.candidate === null) throw new PostroomError('state_used')
  const candidate = await probed(session, session.candidate, services)
  const waiting = await sessions.move(
    session.id,
    { states: ['checking'] },
    { state: 'awaiting_confirmation', candidate, expiresAtMs: now() + confirmationLifeMs },
  )
  // Another request of this browser was quicker.
  if (!waiting) return sessions.get(session.id)
  log({ event: 'connect_checked', sessionId: session.id, channelId: candidate.channelId })
  if (!waiting.autoConfirm) return waiting
  await activate(waiting, services)
  return sessions.get(session.id)
}

async function probed(
  session: ConnectSession,
  candidate: Candidate,
  { grants, providers, now }: CheckServices,
): Promise<Candidate> {
  const owner = { grantId: candidate.grantId, accountId: session.accountId, channelId: candidate.channelId }
  const accessToken = await grants.openAccessToken(owner, await grants.read(owner))
  const entry = providerOf(providers, session.provider)
  const timeoutMs = probeTimeoutMs
  const signedIn = await probeMailbox({ entry, accessToken, candidates: candidate.candidates, timeoutMs })
  const probe = session.proveSendAs
    ? await proveSendAs(signedIn, {
        entry,
        accessToken,
        email: candidate.email,
        timeoutMs,
        now: new Date(now()),
      })
    : signedIn
  return { ...candidate, ...judgeProbe(probe, candidate.login) }
}

/** As keepFailure(), and tells the person. */
export async function failSession(
  session: ConnectSession,
  thrown: unknown,
  services: CheckServices,
): Promise<HttpAnswer> {
  const error = asPostroomError(thrown)
  const failed = await keepFailure(session, error, services)
  const isForAdmin = error.code === 'admin_approval_required'
  const adminUrl = isForAdmin ? await adminConsentUrl(session.provider, services) : null
  return failurePage(error, {
    backUrl: backToApp(session, 'failed'),
    adminUrl,
    againUrl: failed ? againUrlAfter(error, session) : null,
  })
}

/**
 * Keeps the reason on the session, and ends the grant that leads to nothing.
 * @returns undefined if the session was not being checked any more
 */
export async function keepFailure(
  session: ConnectSession,
  error: PostroomError,
  services: CheckServices,
): Promise<ConnectSession | undefined> {
  log({ event: 'connect_refused', sessionId: session.id, ...errorForLog(error) })
  const fault = describeFault(error)
  const failed = await services.sessions.move(
    session.id,
    { states: ['checking'] },
    { state: 'failed', fault },
  )
  const candidate = failed?.candidate
  if (candidate) {
    const { grantId, channelId, identity } = candidate
    const { accountId, provider } = session
    const revoke = failed.channelId === null
    await forgetGrant({ grantId, accountId, channelId, provider, identity, revoke }, services)
  }
  return failed
}

/** Where another attempt can help: the person chose otherwise, or somebody else has acted meanwhile. */
function againUrlAfter({ row }: PostroomError, { id }: ConnectSession): string | null {
  return row.actor === 'operator' || row.actor === 'app' ? null : againPath(id)
}

function outcomePage(session: ConnectSession): HttpAnswer {
  const { state, candidate, fault } = session
  if (state === 'failed' && fault) {
    const error = new PostroomError(fault.code as PostroomError['code'], {
      evidence: fault.evidence ?? undefined,
    })
    return failurePage(error, {
      backUrl: backToApp(session, 'failed'),
      adminUrl: null,
      againUrl: againUrlAfter(error, session),
    })
  }
  const isConfirmed = state === 'connected'
  const backUrl = backToApp(session, isConfirmed ? 'connected' : 'pending')
  return backUrl
    ? redirect(backUrl)
    : donePage({ email: candidate?.email ?? '', isConfirmed, access: candidate?.access ?? null })
}

function backToApp(
  { id, returnUrl }: ConnectSession,
  status: 'pending' | 'connected' | 'failed',
): string | null {
  if (returnUrl === null) return null
  const url = new URL(returnUrl)
  url.searchParams.set('connect_session', id)
  url.searchParams.set('status', status)
  return url.toString()
}
