/** What a token endpoint's refusal means. The OAuth `error` decides; a provider's own number only refines it. */

import * as v from 'valibot'
import { type AnswerRow, faultIn } from './answer-row.ts'
import { type FaultCode, faults } from './faults.ts'
import { check } from './schema-check.ts'

const refusalSchema = v.object({
  error: v.string(),
  error_codes: v.optional(v.array(v.number())),
  suberror: v.optional(v.string()),
  /** Google's. */
  error_subtype: v.optional(v.string()),
})

/** OAuth errors that are about the client itself, whatever it asks for (RFC 6749 5.2; the last two are Google's). */
const clientErrors = ['invalid_client', 'unauthorized_client', 'deleted_client', 'disabled_client']

/** OAuth errors that are about this one grant (RFC 6749 5.2, OpenID Connect Core 3.1.2.6). */
const grantErrors = ['invalid_grant', 'interaction_required', 'consent_required', 'login_required']

/**
 * Microsoft may change numbers at any time; an unknown one changes nothing. The first row that fits decides.
 * @see https://learn.microsoft.com/entra/identity-platform/reference-error-codes
 * @see https://developers.google.com/identity/protocols/oauth2#expiration
 */
export const tokenAnswers: readonly AnswerRow[] = [
  // A throttle or an outage, whatever `error` stands beside it: 50196 comes as `invalid_grant`.
  { code: ['50196', '90055'], fault: 'provider_throttled' },
  { status: ['rate_limit_exceeded', 'slow_down'], fault: 'provider_throttled' },
  {
    code: ['50033', '50087', '70012', '90006', '90012', '90024', '90033', '90090'],
    fault: 'provider_unreachable',
  },
  { status: ['temporarily_unavailable', 'server_error'], fault: 'provider_unreachable' },

  // A malformed request, or a code instead of a token: a mistake of ours with one mailbox, which no consent mends.
  { code: ['54005', '9002313'], fault: 'token_request_refused' },

  // Our registration in one organization: removed or switched off there, perhaps by its administrator.
  {
    status: ['unauthorized_client', 'invalid_client'],
    code: ['700016', '7000112'],
    fault: 'app_refused_in_tenant',
  },

  // Our own registration, for every mailbox alike.
  {
    status: [
      ...clientErrors,
      'invalid_scope',
      'invalid_resource',
      'invalid_request',
      'unsupported_grant_type',
    ],
    fault: 'app_credentials_refused',
  },
  { code: ['7000222', '7000215', '7000218', '700027', '700024'], fault: 'app_credentials_refused' },
  { code: ['70001', '90002', '90023'], fault: 'app_credentials_refused' },
  { code: ['70011', '500011', '650057', '28000', '700022'], fault: 'app_credentials_refused' },

  // A policy of the organization.
  { status: ['admin_policy_enforced'], fault: 'grant_blocked_by_policy' },
  {
    status: grantErrors,
    code: ['53000-53004', '530032', '50005', '50131', '50158', '50105'],
    fault: 'grant_blocked_by_policy',
  },
  // Google's is a session length that its administrator has set (“reauth proof token”).
  { status: grantErrors, code: ['70043', '700081', 'invalid_rapt'], fault: 'sign_in_frequency' },
  // `message_only`: no sign-in helps, only what the message asks an administrator for.
  { status: grantErrors, code: ['message_only'], fault: 'grant_blocked_by_policy' },

  // This grant.
  { status: grantErrors, code: ['700082', '70008', '700084'], fault: 'grant_expired' },
  { status: grantErrors, code: ['50173', '50133', '50132'], fault: 'grant_revoked' },
  { status: grantErrors, code: ['50089', '50085'], fault: 'grant_revoked' },
  { status: grantErrors, code: ['65001', '65004', 'consent_required'], fault: 'consent_withdrawn' },
  {
    status: grantErrors,
    code: ['50057', '50034', '50020', '50055', '50144', 'user_password_expired'],
    fault: 'account_unavailable',
  },
  {
    status: grantErrors,
    code: ['50076', '50079', '50078', '50074', '50072'],
    fault: 'sign_in_required',
  },
  { status: grantErrors, code: ['basic_action', 'additional_action'], fault: 'sign_in_required' },
  { status: grantErrors, code: ['bad_token', 'token_expired'], fault: 'grant_revoked' },
  { status: ['consent_required'], fault: 'consent_withdrawn' },
  { status: ['interaction_required', 'login_required'], fault: 'sign_in_required' },
]

export interface TokenRefusal {
  code: FaultCode
  evidence: string
}

/**
 * @param status HTTP status: 429 and 5xx decide before the body, which may quote anything
 * @param exchanging whether a code was redeemed; then there is no grant yet that could end
 */
export function tokenRefusal(status: number, body: unknown, exchanging: boolean): TokenRefusal {
  const parsed = check(refusalSchema, body)
  const { error, error_codes = [], suberror, error_subtype } = parsed.data ?? { error: null }
  const sub = [suberror, error_subtype].filter(word => word !== undefined)
  const evidence = [
    `HTTP ${status}`,
    error?.slice(0, 60),
    ...error_codes.map(code => `AADSTS${code}`),
    ...sub.map(word => word.slice(0, 40)),
  ]
    .filter(Boolean)
    .join(' ')
  return { code: faultOf(), evidence }

  function faultOf(): FaultCode {
    if (status === 429) return 'provider_throttled'
    if (status >= 500 || error === null) return 'provider_unreachable'
    const codes = [...error_codes.map(String), ...sub]
    const known = faultIn(tokenAnswers, { at: 'token', status: error, codes, text: '' })
    if (exchanging) return atExchange(known, error)
    if (known) return known
    // Numbers of Entra's that we do not know are doubted; Google and others give none, and mean what they say.
    if (error === 'invalid_grant') return error_codes.length > 0 ? 'grant_doubtful' : 'grant_revoked'
    return 'provider_unreachable'
  }
}

/**
 * There is no grant yet that could have ended: what is refused is the code. It came through a browser, so a request that
 * is refused for it must not hold back the app's mailboxes: only what is said of the client itself may.
 */
function atExchange(known: FaultCode | undefined, error: string): FaultCode {
  if (known === 'app_credentials_refused' && !clientErrors.includes(error)) return 'app_misconfigured'
  if (known === 'grant_blocked_by_policy') return 'sign_in_blocked_by_policy'
  // What is malformed is the code, which anybody may bring.
  if (known === 'token_request_refused') return 'code_refused'
  if (known && faults[known].action !== 'reconnect') return known
  return known || error === 'invalid_grant' ? 'code_refused' : 'provider_unreachable'
}
