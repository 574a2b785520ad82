/** Every failure Postroom knows: what it means, who must act, what we do. One class, one table. */

/** Who can end the failure. `app` is the program that called our API. */
export type Actor = 'nobody' | 'app' | 'owner' | 'tenant_admin' | 'operator'

/**
 * What we do about it: `refuse` the request; `retry` later by ourselves; `wait` as the provider asked;
 * `reconnect` the mailbox by its owner; `park` until somebody changes a setting; `reject` this one message;
 * `reconcile` by looking what really happened.
 */
type Action = 'refuse' | 'retry' | 'wait' | 'reconnect' | 'park' | 'reject' | 'reconcile'

interface FaultRow {
  actor: Actor
  action: Action
  /** HTTP status where an HTTP caller sees this fault. */
  status: number
  /** The sentence a person reads. */
  summary: string
}

const row = (status: number, actor: Actor, action: Action, summary: string): FaultRow => ({
  status,
  actor,
  action,
  summary,
})

export const faults = {
  // What an app sent us
  request_invalid: row(400, 'app', 'refuse', 'The request does not follow the rules of this call.'),
  json_invalid: row(400, 'app', 'refuse', 'The body is not JSON.'),
  idempotency_key_missing: row(400, 'app', 'refuse', 'A message needs the header Idempotency-Key.'),
  idempotency_conflict: row(
    409,
    'app',
    'refuse',
    'This Idempotency-Key was used before with another message.',
  ),
  message_too_large: row(413, 'app', 'refuse', 'The message is larger than the provider takes.'),
  route_not_found: row(404, 'app', 'refuse', 'There is no such call.'),
  method_not_allowed: row(405, 'app', 'refuse', 'This path does not know that method.'),
  channel_not_found: row(404, 'app', 'refuse', 'There is no such channel.'),
  message_not_found: row(404, 'app', 'refuse', 'There is no such message.'),
  attachment_not_found: row(404, 'app', 'refuse', 'The message has no such attachment.'),
  session_not_found: row(404, 'app', 'refuse', 'There is no such connect session.'),
  session_not_confirmable: row(409, 'app', 'refuse', 'This connect session cannot be confirmed now.'),
  channel_not_usable: row(409, 'app', 'refuse', 'The channel has no working sign-in to do this with.'),
  message_not_retryable: row(409, 'app', 'refuse', 'Only a failed or uncertain message can be retried.'),
  message_not_cancellable: row(409, 'app', 'refuse', 'The message is already on its way or done.'),
  channel_disconnected: row(409, 'app', 'refuse', 'The channel was disconnected.'),

  // What a browser brought us
  ticket_invalid: row(404, 'app', 'refuse', 'This connect link is not known.'),
  ticket_expired: row(410, 'app', 'refuse', 'This connect link has expired. Ask for a new one.'),
  ticket_used: row(410, 'app', 'refuse', 'This connect link was already used. Ask for a new one.'),
  browser_mismatch: row(403, 'owner', 'refuse', 'Please finish in the browser in which you began.'),
  state_invalid: row(400, 'owner', 'refuse', 'This sign-in answer does not belong to a sign-in we began.'),
  state_used: row(410, 'owner', 'refuse', 'This sign-in answer was already used. Please begin again.'),
  state_expired: row(410, 'owner', 'refuse', 'This sign-in took too long. Please begin again.'),
  code_missing: row(400, 'owner', 'refuse', 'The provider sent no authorization code.'),
  code_refused: row(400, 'owner', 'refuse', 'The provider did not accept the sign-in. Please begin again.'),
  consent_declined: row(403, 'owner', 'refuse', 'Access to the mailbox was declined.'),
  consent_failed: row(400, 'owner', 'refuse', 'The provider could not complete the sign-in.'),
  admin_approval_required: row(
    403,
    'tenant_admin',
    'refuse',
    'Your organization lets only an administrator allow this app.',
  ),
  account_not_assigned: row(
    403,
    'tenant_admin',
    'refuse',
    'Your organization has not given your account access to this app.',
  ),
  sign_in_blocked_by_policy: row(
    403,
    'tenant_admin',
    'refuse',
    'A policy of your organization blocks this sign-in.',
  ),
  account_not_in_tenant: row(
    403,
    'owner',
    'refuse',
    'This account does not belong to the organization the app serves. Please use another account.',
  ),
  app_misconfigured: row(
    502,
    'operator',
    'refuse',
    'The provider does not accept how this app is registered or what it asks for.',
  ),
  issuer_mismatch: row(
    400,
    'operator',
    'refuse',
    'The answer came from another provider than the one asked.',
  ),
  id_token_missing: row(502, 'operator', 'refuse', 'The provider did not say who signed in.'),
  id_token_invalid: row(
    400,
    'operator',
    'refuse',
    'What the provider said about who signed in did not verify.',
  ),
  refresh_token_missing: row(
    400,
    'owner',
    'refuse',
    'The provider gave no lasting access. Please begin again and accept.',
  ),
  scope_missing: row(
    403,
    'owner',
    'refuse',
    'Access to mail was not granted. Please begin again and allow it.',
  ),
  address_missing: row(400, 'tenant_admin', 'refuse', 'The account that signed in has no mail address.'),
  mailbox_unusable: row(
    403,
    'tenant_admin',
    'refuse',
    'The sign-in worked, but the mail servers let it neither read nor send.',
  ),
  identity_mismatch: row(
    409,
    'owner',
    'refuse',
    'Another mailbox signed in than the one that is to be reconnected.',
  ),
  provider_unknown: row(400, 'app', 'refuse', 'There is no such provider.'),

  // What providers answered
  grant_revoked: row(
    502,
    'owner',
    'reconnect',
    'The provider ended our access. The mailbox must be reconnected.',
  ),
  app_replaced: row(
    502,
    'owner',
    'reconnect',
    'The mailbox was connected through another OAuth app than the one configured now. It must be reconnected.',
  ),
  app_credentials_refused: row(
    502,
    'operator',
    'park',
    'The provider refuses the OAuth app itself: its client id or secret is wrong or expired.',
  ),
  provider_throttled: row(503, 'nobody', 'wait', 'The provider asked us to slow down.'),
  provider_unreachable: row(503, 'nobody', 'retry', 'The provider could not be reached.'),
  token_save_lost: row(503, 'nobody', 'retry', 'A token was refreshed by somebody else meanwhile.'),
  smtp_auth_refused: row(502, 'owner', 'reconnect', 'The mail server refuses our sign-in for sending.'),
  smtp_disabled: row(
    502,
    'tenant_admin',
    'park',
    'Sending by SMTP (authenticated SMTP) is switched off for this mailbox or organization. An administrator can switch it on.',
  ),
  smtp_blocked_by_policy: row(
    502,
    'tenant_admin',
    'park',
    'A policy of the organization blocks signing in for sending. An administrator can allow it.',
  ),
  smtp_refuses_login: row(
    502,
    'tenant_admin',
    'park',
    'The server for sending refuses this account, though reading works with the same sign-in.',
  ),
  smtp_unreachable: row(503, 'nobody', 'retry', 'The server for sending could not be reached.'),
  smtp_temporary: row(503, 'nobody', 'retry', 'The server for sending asked us to try again later.'),
  smtp_refused: row(502, 'app', 'reject', 'The server for sending refused the message.'),
  smtp_recipients_refused: row(502, 'app', 'reject', 'The server for sending refused every recipient.'),
  outcome_unknown: row(
    502,
    'app',
    'reconcile',
    'The connection broke after the message was handed over; it may or may not have been accepted.',
  ),
  message_bytes_missing: row(500, 'operator', 'reject', 'The stored bytes of the message are gone.'),
  message_expired: row(410, 'app', 'reject', 'The message could not be sent before its time was over.'),
  imap_auth_refused: row(502, 'owner', 'reconnect', 'The mail server refuses our sign-in for reading.'),
  imap_disabled: row(
    502,
    'tenant_admin',
    'park',
    'Reading by IMAP is switched off for this mailbox, or the account has no mailbox. An administrator can switch it on.',
  ),
  imap_refuses_login: row(
    502,
    'tenant_admin',
    'park',
    'The server for reading refuses this account, though sending works with the same sign-in.',
  ),
  imap_unreachable: row(503, 'nobody', 'retry', 'The server for reading could not be reached.'),
  mail_unreadable: row(422, 'nobody', 'park', 'The mail could not be parsed; its raw bytes are kept.'),

  // Ourselves
  configuration_invalid: row(500, 'operator', 'refuse', 'Postroom is not configured rightly.'),
  secret_unreadable: row(500, 'operator', 'park', 'A stored secret does not open with its key.'),
  stored_item_invalid: row(500, 'operator', 'park', 'A stored item does not have the shape it must have.'),
  internal: row(500, 'operator', 'retry', 'Something unexpected happened inside Postroom.'),
} satisfies Record<string, FaultRow>

export type FaultCode = keyof typeof faults

/** One field that broke a rule. `found` is shortened, and never holds a body or a secret. */
export interface FieldFault {
  field: string
  rule: string
  found: string
}

function fieldTexts(errors: FieldFault[]): string[] {
  return errors.map(({ field, rule, found }) => `${field} ${rule}: found '${found}'`)
}

export interface FaultDetails {
  /** The fields that broke a rule. */
  errors?: FieldFault[]
  /** What the other side said, already free of tokens and names: one line. */
  evidence?: string
  /** How long the other side asked us to wait. */
  retryAfterMs?: number
  /** Methods a path knows (RFC 9110 15.5.6). */
  allow?: string
  cause?: unknown
}

/** The only error Postroom throws on purpose. Match on `code`, never on `message`. */
export class PostroomError extends Error {
  override readonly name = 'PostroomError'
  readonly code: FaultCode
  readonly errors: FieldFault[]
  readonly evidence: string | undefined
  readonly retryAfterMs: number | undefined
  readonly allow: string | undefined

  constructor(code: FaultCode, details: FaultDetails = {}) {
    super([faults[code].summary, ...fieldTexts(details.errors ?? [])].join(' '), { cause: details.cause })
    this.code = code
    this.errors = details.errors ?? []
    this.evidence = details.evidence
    this.retryAfterMs = details.retryAfterMs
    this.allow = details.allow
  }

  get row(): FaultRow {
    return faults[this.code]
  }
}

/** What an app sees of a fault, in events, channels and messages. */
export interface Fault {
  code: FaultCode
  actor: Actor
  summary: string
  evidence: string | null
}

export function describeFault(error: PostroomError): Fault {
  const { actor, summary } = error.row
  return {
    code: error.code,
    actor,
    summary,
    evidence: error.evidence ?? (fieldTexts(error.errors).join(' ') || null),
  }
}

/** Gives any thrown value a row of the table; what has none is `internal`, with the original as cause. */
export function asPostroomError(thrown: unknown): PostroomError {
  return thrown instanceof PostroomError ? thrown : new PostroomError('internal', { cause: thrown })
}
