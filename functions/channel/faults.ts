/** Every failure Postroom knows: what it means, who must act, what we do. One class, one table. */

/** Who can end the failure. `app` is the program that called our API. */
export type Actor = 'nobody' | 'app' | 'owner' | 'tenant_admin' | 'operator'

/**
 * What we do about it: `refuse` the request; `retry` later by ourselves; `retry_once` later, then reject;
 * `wait` as the provider asked; `heal` by finding out whether a fresh token or another login opens it;
 * `reconnect` the mailbox by its owner; `park` until somebody changes a setting; `reject` this one message;
 * `reconcile` by looking what really happened.
 */
type Action =
  | 'refuse'
  | 'retry'
  | 'retry_once'
  | 'wait'
  | 'heal'
  | 'reconnect'
  | 'park'
  | 'reject'
  | 'reconcile'

interface FaultRow {
  actor: Actor
  action: Action
  /** HTTP status where an HTTP caller sees this fault. */
  status: number
  /** The sentence a person reads. */
  summary: string
  /** How long a channel rests before it is tried again, where it is not the usual (back-off.ts). */
  backOff?: { fromMs: number; toMs: number }
  /** How often, over how long, a channel must fail so before it is believed: one answer may be a server's bad hour. */
  proof?: { failures: number; overMs: number }
  /** The setting in the way, in the words of whoever can change it. */
  setting?: string
}

const row = (
  status: number,
  actor: Actor,
  action: Action,
  summary: string,
  more: Pick<FaultRow, 'backOff' | 'proof' | 'setting'> = {},
): FaultRow => ({ status, actor, action, summary, ...more })

const seconds = 1000
const minutes = 60 * seconds
const hours = 60 * minutes

const onceADay = { fromMs: 24 * hours, toMs: 24 * hours }
/** A refused sign-in is believed only when it is refused again, later. */
const refusedTwice = {
  proof: { failures: 2, overMs: 10 * minutes },
  backOff: { fromMs: 10 * minutes, toMs: 15 * minutes },
}

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
  caller_unknown: row(403, 'app', 'refuse', 'The token names no account.'),
  account_not_allowed: row(403, 'app', 'refuse', 'The token stands for another account.'),
  operator_required: row(403, 'app', 'refuse', 'Only the operator may do this.'),
  import_running: row(409, 'app', 'refuse', 'This very refresh token is being imported at the moment.'),
  channel_not_found: row(404, 'app', 'refuse', 'There is no such channel.'),
  message_not_found: row(404, 'app', 'refuse', 'There is no such message.'),
  attachment_not_found: row(404, 'app', 'refuse', 'The message has no such attachment.'),
  session_not_found: row(404, 'app', 'refuse', 'There is no such connect session.'),
  session_not_confirmable: row(409, 'app', 'refuse', 'This connect session cannot be confirmed now.'),
  webhook_not_found: row(404, 'app', 'refuse', 'There is no such webhook.'),
  webhook_limit_reached: row(409, 'app', 'refuse', 'The account has as many webhooks as it may have.'),
  event_not_found: row(404, 'app', 'refuse', 'There is no such event in the log.'),
  channel_not_usable: row(409, 'app', 'refuse', 'The channel has no working sign-in to do this with.'),
  message_not_retryable: row(
    409,
    'app',
    'refuse',
    'The message is on its way, sent or cancelled: there is nothing to send again.',
  ),
  message_not_cancellable: row(409, 'app', 'refuse', 'The message is already on its way or done.'),
  loop_braked: row(
    409,
    'app',
    'refuse',
    'This mailbox and a recipient have answered each other automatically too often within minutes.',
  ),
  message_not_parsable: row(409, 'app', 'refuse', 'Only a received message can be parsed again.'),
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

  // What providers answered: about the grant
  grant_revoked: row(
    502,
    'owner',
    'reconnect',
    'The provider ended our access. The mailbox must be reconnected.',
  ),
  grant_expired: row(
    502,
    'owner',
    'reconnect',
    'The access was not used for so long that the provider ended it. The mailbox must be reconnected.',
  ),
  grant_doubtful: row(
    502,
    'owner',
    'reconnect',
    'The provider keeps refusing our access, for a reason it does not name. The mailbox must be reconnected.',
    {
      proof: { failures: 4, overMs: 15 * minutes },
      backOff: { fromMs: 5 * minutes, toMs: 10 * minutes },
    },
  ),
  sign_in_required: row(
    502,
    'owner',
    'reconnect',
    'The provider wants the owner to sign in again, for instance with a second factor.',
  ),
  sign_in_frequency: row(
    502,
    'owner',
    'reconnect',
    'A policy of the organization ended the sign-in after its time. It must be renewed, and will end again unless an administrator exempts this app.',
    {
      setting:
        'Microsoft: Conditional Access, session control “sign-in frequency”: exempt this app. Google: Admin console, “Google Cloud session control”: exempt trusted apps, and trust this one',
    },
  ),
  consent_withdrawn: row(
    502,
    'owner',
    'reconnect',
    'The consent to this app was withdrawn. The mailbox must be reconnected.',
  ),
  scope_withdrawn: row(
    502,
    'owner',
    'reconnect',
    'Access to mail is no longer part of what was granted. The mailbox must be reconnected, and access allowed.',
  ),
  account_changed: row(
    502,
    'owner',
    'reconnect',
    'The access now speaks for another account than the mailbox’s own. The mailbox must be reconnected.',
  ),
  grant_ended_in_testing: row(
    502,
    'owner',
    'reconnect',
    'The provider ended our access after the time it grants to apps that are still being tested. The mailbox must be reconnected, and the access will end again until whoever runs Postroom publishes the OAuth app.',
    { setting: 'Google Auth Platform, Audience: publishing status “In production” instead of “Testing”' },
  ),
  account_unavailable: row(
    502,
    'tenant_admin',
    'reconnect',
    'The account is disabled, was deleted, or its password has expired. Once an administrator has mended that, the mailbox must be reconnected.',
  ),
  web_login_required: row(
    502,
    'owner',
    'reconnect',
    'The provider wants the owner to sign in once in a web browser before it lets us in again.',
    refusedTwice,
  ),
  grant_blocked_by_policy: row(
    502,
    'tenant_admin',
    'park',
    'A policy of the organization blocks the access of this app. An administrator can allow it.',
    { setting: 'Conditional Access or app assignment: allow this app for the mailbox’s owner' },
  ),
  app_replaced: row(
    502,
    'owner',
    'reconnect',
    'The mailbox was connected through another OAuth app than the one configured now. It must be reconnected.',
  ),
  app_refused_in_tenant: row(
    502,
    'operator',
    'park',
    'The mailbox’s organization does not know this app, or has switched it off. An administrator there can allow it again.',
  ),
  app_credentials_refused: row(
    502,
    'operator',
    'park',
    'The provider refuses the OAuth app itself: its client id or secret is wrong or expired.',
  ),
  provider_throttled: row(503, 'nobody', 'wait', 'The provider asked us to slow down.', {
    backOff: { fromMs: 60 * seconds, toMs: 60 * minutes },
  }),
  provider_unreachable: row(503, 'nobody', 'retry', 'The provider could not be reached.'),
  token_request_refused: row(
    502,
    'operator',
    'park',
    'The provider finds our request for a token malformed: a refresh token was damaged where it is stored or was imported from, or Postroom must be changed.',
    { backOff: { fromMs: 10 * minutes, toMs: 60 * minutes } },
  ),
  token_save_lost: row(503, 'nobody', 'retry', 'A token was refreshed by somebody else meanwhile.'),

  // What mail servers answered: about the sign-in
  smtp_auth_refused: row(
    502,
    'nobody',
    'heal',
    'The server for sending refuses the sign-in. Postroom finds out why before anybody is asked.',
  ),
  imap_auth_refused: row(
    502,
    'nobody',
    'heal',
    'The server for reading refuses the sign-in. Postroom finds out why before anybody is asked.',
  ),
  imap_not_connected: row(
    502,
    'nobody',
    'heal',
    'The server for reading accepts the sign-in, but opens no mailbox. Postroom finds out why before anybody is asked.',
    {
      proof: { failures: 3, overMs: 30 * minutes },
      backOff: { fromMs: 15 * minutes, toMs: 20 * minutes },
    },
  ),
  sign_in_unsettled: row(
    503,
    'nobody',
    'retry',
    'A server refused the sign-in; it is tried again before anybody is asked.',
    { backOff: { fromMs: 30 * seconds, toMs: 60 * seconds } },
  ),
  sign_in_refused: row(
    502,
    'owner',
    'reconnect',
    'The mail servers refuse the sign-in, under every name, with a fresh token. The mailbox must be reconnected.',
    refusedTwice,
  ),
  smtp_refuses_login: row(
    502,
    'tenant_admin',
    'park',
    'The server for sending refuses this account, though reading works with the same sign-in.',
    { ...refusedTwice, setting: 'Authenticated SMTP for the mailbox, and policies that block it' },
  ),
  imap_refuses_login: row(
    502,
    'tenant_admin',
    'park',
    'The server for reading refuses this account, though sending works with the same sign-in.',
    { ...refusedTwice, setting: 'IMAP for the mailbox, and policies that block it' },
  ),
  smtp_disabled: row(
    502,
    'tenant_admin',
    'park',
    'Sending by SMTP (authenticated SMTP) is switched off for this mailbox or organization. An administrator can switch it on.',
    {
      setting:
        'Set-CASMailbox -Identity MAILBOX -SmtpClientAuthenticationDisabled $false, or for the organization Set-TransportConfig -SmtpClientAuthenticationDisabled $false',
    },
  ),
  smtp_blocked_by_policy: row(
    502,
    'tenant_admin',
    'park',
    'A policy of the organization blocks signing in for sending. An administrator can allow it.',
    { setting: 'Security defaults, authentication policies or Conditional Access' },
  ),
  imap_disabled: row(
    502,
    'tenant_admin',
    'park',
    'Reading by IMAP is switched off for this mailbox, or the account has no mailbox. An administrator can switch it on.',
    {
      setting:
        'Microsoft: Set-CASMailbox -Identity MAILBOX -ImapEnabled $true. Google: Gmail settings, “Enable IMAP”, and in the Admin console “End User Access”',
    },
  ),
  polling_stalled: row(
    503,
    'operator',
    'retry',
    'The mailbox is not being polled at all; whoever runs Postroom has to look why.',
  ),
  command_refused: row(
    502,
    'operator',
    'park',
    'A mail server refuses a command of ours; Postroom or its configuration must be changed.',
  ),

  // What the server for sending answered: about the mailbox
  smtp_unreachable: row(503, 'nobody', 'retry', 'The server for sending could not be reached.'),
  smtp_too_many_connections: row(
    503,
    'nobody',
    'wait',
    'Too many connections send from this mailbox at once; it goes on in a moment.',
    { backOff: { fromMs: 10 * seconds, toMs: 60 * seconds } },
  ),
  smtp_throttled: row(503, 'nobody', 'wait', 'The server for sending asked us to slow down.', {
    backOff: { fromMs: 10 * minutes, toMs: 60 * minutes },
  }),
  sending_limit_reached: row(
    503,
    'nobody',
    'wait',
    'The mailbox has sent as much as its provider allows in a day; it goes on when the limit frees.',
    { backOff: { fromMs: 60 * minutes, toMs: 2 * hours } },
  ),
  tenant_sending_limit_reached: row(
    503,
    'nobody',
    'wait',
    'The organization has sent as much to others as its provider allows in a day; it goes on when the limit frees.',
    { backOff: { fromMs: 60 * minutes, toMs: 2 * hours }, setting: 'Tenant external recipient limit' },
  ),
  sender_restricted: row(
    502,
    'tenant_admin',
    'park',
    'The provider has stopped this account or organization from sending, as a guard against spam. An administrator can lift that.',
    { backOff: onceADay, setting: 'Microsoft Defender, “Restricted entities”' },
  ),
  sender_mailbox_full: row(
    502,
    'owner',
    'park',
    'The mailbox is full, so that the provider takes no mail from it. Its owner can make room.',
    { backOff: onceADay },
  ),
  smtp_sign_in_lost: row(
    502,
    'operator',
    'retry_once',
    'The server for sending takes the session for not signed in.',
  ),

  // What the server for sending answered: about one message
  smtp_temporary: row(503, 'nobody', 'retry', 'The server for sending asked us to try again later.'),
  smtp_refused: row(502, 'app', 'reject', 'The server for sending refused the message.'),
  smtp_refusal_unclear: row(
    502,
    'app',
    'retry_once',
    'The server for sending refused the message, for a reason we do not know.',
  ),
  smtp_recipients_refused: row(502, 'app', 'reject', 'The server for sending refused every recipient.'),
  smtp_message_too_large: row(
    502,
    'app',
    'reject',
    'The server for sending refused the message: it is too large.',
  ),
  too_many_recipients: row(502, 'app', 'reject', 'The message has more recipients than the provider takes.'),
  send_as_denied: row(
    502,
    'tenant_admin',
    'reject',
    'The account may not send under the From address. An administrator can allow it.',
    { setting: 'Add-RecipientPermission SENDER -AccessRights SendAs -Trustee ACCOUNT' },
  ),
  already_accepted: row(
    200,
    'nobody',
    'reconcile',
    'The server for sending has this very message already: it was accepted before.',
  ),
  outcome_unknown: row(
    502,
    'app',
    'reconcile',
    'The connection broke after the message was handed over; it may or may not have been accepted.',
  ),
  message_bytes_missing: row(500, 'operator', 'reject', 'The stored bytes of the message are gone.'),
  message_expired: row(410, 'app', 'reject', 'The message could not be sent before its time was over.'),

  // What the server for reading answered
  imap_unreachable: row(503, 'nobody', 'retry', 'The server for reading could not be reached.'),
  imap_throttled: row(503, 'nobody', 'wait', 'The server for reading asked us to slow down.', {
    backOff: { fromMs: 15 * minutes, toMs: 24 * hours },
  }),
  imap_session_ended: row(
    503,
    'nobody',
    'retry',
    'The server for reading ended a session whose time was over; the next one begins at once.',
    { backOff: { fromMs: 0, toMs: 0 } },
  ),
  folder_missing: row(
    409,
    'owner',
    'park',
    'A folder that is to be read is not in the mailbox; the others are read.',
  ),
  mail_unreadable: row(422, 'nobody', 'park', 'The mail could not be parsed; its raw bytes are kept.'),
  mail_too_large: row(
    422,
    'nobody',
    'park',
    'The mail is larger than Postroom takes in; its beginning is kept.',
  ),
  mail_unavailable: row(
    422,
    'nobody',
    'park',
    'The mail could not be taken in; it still lies in the mailbox.',
  ),

  // Ourselves
  app_credential_unavailable: row(
    503,
    'operator',
    'retry',
    'KMS or STS did not give what proves to the provider which OAuth app we are.',
  ),
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
