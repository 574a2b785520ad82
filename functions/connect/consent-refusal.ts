/** What a provider means when it sends the browser back with an error instead of a code. */

import { type FaultCode, PostroomError } from '../channel/faults.ts'

/**
 * Entra puts its own number into the description. Microsoft may change numbers at any time, so they only
 * refine what the OAuth `error` says; an unknown one changes nothing.
 * @see https://learn.microsoft.com/entra/identity-platform/reference-error-codes
 */
const byEntraNumber: Record<string, FaultCode> = {
  65004: 'consent_declined',
  65001: 'admin_approval_required',
  90094: 'admin_approval_required',
  90095: 'admin_approval_required',
  50105: 'account_not_assigned',
  50005: 'sign_in_blocked_by_policy',
  50131: 'sign_in_blocked_by_policy',
  50158: 'sign_in_blocked_by_policy',
  53000: 'sign_in_blocked_by_policy',
  53001: 'sign_in_blocked_by_policy',
  53002: 'sign_in_blocked_by_policy',
  53003: 'sign_in_blocked_by_policy',
  53004: 'sign_in_blocked_by_policy',
  530032: 'sign_in_blocked_by_policy',
  16000: 'account_not_in_tenant',
  50020: 'account_not_in_tenant',
  50034: 'account_not_in_tenant',
  50194: 'app_misconfigured',
  70001: 'app_misconfigured',
  90002: 'app_misconfigured',
  650052: 'app_misconfigured',
  650057: 'app_misconfigured',
  700016: 'app_misconfigured',
  7000112: 'app_misconfigured',
}

/** RFC 6749 4.1.2.1, OpenID Connect Core 3.1.2.6, and Google's own. */
const byError: Record<string, FaultCode> = {
  access_denied: 'consent_declined',
  consent_required: 'admin_approval_required',
  interaction_required: 'consent_failed',
  login_required: 'consent_failed',
  temporarily_unavailable: 'provider_unreachable',
  server_error: 'provider_unreachable',
  invalid_request: 'app_misconfigured',
  invalid_scope: 'app_misconfigured',
  invalid_client: 'app_misconfigured',
  invalid_resource: 'app_misconfigured',
  unauthorized_client: 'app_misconfigured',
  unsupported_response_type: 'app_misconfigured',
  deleted_client: 'app_misconfigured',
  disallowed_useragent: 'app_misconfigured',
  admin_policy_enforced: 'sign_in_blocked_by_policy',
  org_internal: 'account_not_in_tenant',
}

/** Everything here came through the browser: only known words and digits are kept as evidence. */
export function consentRefusal(error: string, description: string | undefined): PostroomError {
  const number = /\bAADSTS(\d{4,7})\b/.exec(description ?? '')?.[1]
  const known = Object.hasOwn(byError, error) ? byError[error] : undefined
  const refined =
    number !== undefined && Object.hasOwn(byEntraNumber, number) ? byEntraNumber[number] : undefined
  const evidence = [known ? error : 'an unknown error', number && `AADSTS${number}`].filter(Boolean).join(' ')
  return new PostroomError(refined ?? known ?? 'consent_failed', { evidence })
}
