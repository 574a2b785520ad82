/**
 * The scripts: every way in which connecting or using a mailbox can go wrong on the providers' side, as data.
 *
 * A persona follows at most one. Longer than other files because the whole choice is to be read in one place.
 */
import { type ProviderId, personas } from './personas.ts'

/** A sign-in that ends without a code. */
export interface SignInEnding {
  /** OAuth's `error` for the app; null shows the provider's page, and the app never hears of it. */
  error: string | null
  /** Entra's number and its words, for `error_description` and for the page. Google sends only `error`. */
  aadsts: number
  text: string
  /** Whether an administrator's consent for the tenant lifts it. */
  untilApproved?: true
}

/** What the token endpoint does instead of answering as usual. */
interface TokenFault {
  on: 'every request' | 'refresh'
  does: /** Nothing, ever. */
    | { what: 'hang' }
    /** Issues, and spends the code, and then ends the connection. */
    | { what: 'drop' }
    | { what: 'page'; status: number; html: string }
    | { what: 'refuse'; status: number; error: string; aadsts: number | null; text: string }
}

/** The claims of an id_token. */
type Claims = Record<string, unknown>

/** Who signs an id_token: a key that its kid does not name, an HMAC, or nobody. */
type Signer = 'nobody' | 'client secret' | 'public key' | 'unknown key' | 'key of other accounts'

/** What is different about the id_token. */
export interface IdTokenShape {
  claims?(claims: Claims): Claims
  signedBy?: Signer
}

/** What the mail servers answer a login that is right. */
type SmtpFault =
  | { what: 'hang' }
  | { what: 'refuse'; text: string | null }
  /** The login is taken, the mail is not. */
  | { what: 'refuse mail'; status: number; text: string }
type ImapFault =
  | { what: 'hang' }
  | { what: 'refuse' }
  | { what: 'alert'; text: string }
  /** The login is taken, the mailbox not opened. */
  | { what: 'not connected' }

/** One way to go wrong. */
export interface Script {
  /** For the form's field `script` and for the HTTP interface. */
  id: string
  /** What a person reads. */
  label: string
  providers: readonly ProviderId[]
  ending?: SignInEnding
  /** How the scope ends that is not granted, though all else is. */
  withheldScope?: string
  token?: TokenFault
  /** What a token answer lacks. */
  omits?: 'refresh_token' | 'id_token'
  respellsScopes?: true
  /** A refresh token that is shown a second time ends the grant, with all tokens of it (RFC 9700 4.14.2). */
  refreshTokensWorkOnce?: true
  idToken?: IdTokenShape
  /** Happens once, when the script is chosen; then all goes as usual. */
  rotatesKey?: true
  smtp?: SmtpFault
  imap?: ImapFault
  /** Whether the next consent ends it, as a new grant does a revocation. */
  endsWithConsent?: true
}

const microsoft = ['microsoft'] as const
const google = ['google'] as const
const both = ['microsoft', 'google'] as const

/** How a sign-in ends that the person declines, with a script or with the button. */
export const declined: SignInEnding = {
  error: 'access_denied',
  aadsts: 65004,
  text: 'User declined to consent to access the app.',
}

/** @see https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes */
const signingIn: Script[] = [
  {
    id: 'access_denied',
    label: 'The person declines',
    providers: both,
    ending: declined,
  },
  {
    id: 'admin_approval_needed',
    label: 'An admin must approve the app first',
    providers: microsoft,
    ending: {
      error: 'access_denied',
      aadsts: 90094,
      text: 'The grant requires admin permission. An administrator must consent to the permissions that this app requests.',
      untilApproved: true,
    },
  },
  {
    id: 'admin_approval_pending',
    label: 'An admin was asked to approve; the app hears nothing',
    providers: microsoft,
    ending: {
      error: null,
      aadsts: 90095,
      text: 'Your request was sent to the administrators of your organization. You can close this window; you will hear from them.',
      untilApproved: true,
    },
  },
  {
    id: 'consent_required',
    label: 'Consent is missing',
    providers: microsoft,
    ending: {
      error: 'consent_required',
      aadsts: 65001,
      text: 'The user or administrator has not consented to use the application. Send an interactive authorization request for this user and resource.',
    },
  },
  {
    id: 'not_assigned',
    label: 'The person is not assigned to the app',
    providers: microsoft,
    ending: {
      error: 'access_denied',
      aadsts: 50105,
      text: "Your administrator has configured the application to block users unless they are specifically granted ('assigned') access to the application. Please contact your administrator to assign access to this application.",
    },
  },
  {
    id: 'conditional_access',
    label: 'Conditional Access blocks the sign-in',
    providers: microsoft,
    ending: {
      error: 'access_denied',
      aadsts: 53003,
      text: 'Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.',
    },
  },
  {
    id: 'wrong_tenant',
    label: 'The account is not in the tenant',
    providers: microsoft,
    ending: {
      error: 'access_denied',
      aadsts: 50020,
      text: 'User account from identity provider does not exist in tenant and cannot access the application in that tenant. The account needs to be added as an external user in the tenant first. Sign out and sign in again with a different account.',
    },
  },
  {
    id: 'app_not_found',
    label: 'The tenant does not know the app',
    providers: microsoft,
    ending: {
      error: 'unauthorized_client',
      aadsts: 700016,
      text: 'Application was not found in the directory. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant.',
    },
  },
  {
    id: 'temporarily_unavailable',
    label: 'The provider is busy',
    providers: both,
    ending: {
      error: 'temporarily_unavailable',
      aadsts: 90006,
      text: 'The service is temporarily unavailable. Please retry later.',
    },
  },
  {
    id: 'server_error',
    label: 'The provider fails',
    providers: both,
    ending: {
      error: 'server_error',
      aadsts: 90033,
      text: 'A transient error has occurred. Please try again.',
    },
  },
  {
    id: 'admin_policy_enforced',
    label: 'The Workspace admin restricts the app',
    providers: google,
    ending: { error: 'admin_policy_enforced', aadsts: 0, text: '' },
  },
  {
    id: 'org_internal',
    label: 'The app is for another organization only',
    providers: google,
    ending: { error: 'org_internal', aadsts: 0, text: '' },
  },
]

const tokens: Script[] = [
  {
    id: 'client_secret_expired',
    label: "The app's secret has expired",
    providers: microsoft,
    token: {
      on: 'every request',
      does: {
        what: 'refuse',
        status: 401,
        error: 'invalid_client',
        aadsts: 7000222,
        text: 'The provided client secret keys for app are expired. Create new keys for your app, or consider using certificate credentials for added security.',
      },
    },
  },
  {
    id: 'token_html_503',
    label: 'The token endpoint answers 503 and a web page',
    providers: both,
    token: {
      on: 'every request',
      does: {
        what: 'page',
        status: 503,
        html: '<!DOCTYPE html><html><head><title>Service Unavailable</title></head><body><h2>Our services are not available right now</h2></body></html>',
      },
    },
  },
  {
    id: 'token_hangs',
    label: 'The token endpoint never answers',
    providers: both,
    token: { on: 'every request', does: { what: 'hang' } },
  },
  {
    id: 'token_dropped',
    label: 'The connection drops after the code was spent',
    providers: both,
    token: { on: 'every request', does: { what: 'drop' } },
  },
  {
    id: 'mail_unticked',
    label: 'The person leaves mail unticked',
    providers: google,
    withheldScope: 'https://mail.google.com/',
  },
  {
    id: 'smtp_scope_missing',
    label: 'Sending (SMTP.Send) is not granted',
    providers: microsoft,
    withheldScope: 'SMTP.Send',
  },
  {
    id: 'scopes_respelled',
    label: 'Scopes come back in other spelling and order',
    providers: microsoft,
    respellsScopes: true,
  },
  {
    id: 'no_refresh_token',
    label: 'No refresh token comes',
    providers: both,
    omits: 'refresh_token',
  },
  {
    id: 'refresh_tokens_work_once',
    label: 'Each refresh token works once; a second use ends the grant',
    providers: microsoft,
    refreshTokensWorkOnce: true,
  },
  { id: 'no_id_token', label: 'No id_token comes', providers: both, omits: 'id_token' },
]

const identity: Script[] = [
  {
    id: 'no_email_claim',
    label: 'No email claim',
    providers: both,
    idToken: { claims: claims => without(claims, ['email', 'email_verified']) },
  },
  {
    id: 'blank_preferred_username',
    label: 'preferred_username is blank',
    providers: microsoft,
    idToken: { claims: claims => ({ ...claims, preferred_username: ' ' }) },
  },
  {
    id: 'no_preferred_username',
    label: 'upn instead of preferred_username',
    providers: microsoft,
    idToken: {
      claims: claims => ({ ...without(claims, ['preferred_username']), upn: claims.preferred_username }),
    },
  },
  {
    id: 'no_upn_no_preferred_username',
    label: 'Neither upn nor preferred_username',
    providers: microsoft,
    idToken: { claims: claims => without(claims, ['preferred_username', 'upn']) },
  },
  {
    id: 'noauth_email',
    label: "The email claim names another tenant's person",
    providers: microsoft,
    idToken: { claims: claims => ({ ...claims, email: victimOf(claims) }) },
  },
  {
    id: 'html_in_name',
    label: 'The names hold HTML and line breaks',
    providers: both,
    idToken: {
      claims: claims => ({
        ...claims,
        name: '<script>alert("name")</script> "O\'Hara" & co\r\nX-Injected: 1',
        ...('preferred_username' in claims && {
          preferred_username: '"><script>alert(1)</script>\'@contoso.example\r\nBcc: victim@outside.example',
        }),
      }),
    },
  },
  {
    id: 'id_token_other_tenant',
    label: 'iss is of another tenant than tid',
    providers: microsoft,
    idToken: {
      claims: claims => ({
        ...claims,
        iss: String(claims.iss).replace(String(claims.tid), otherTenantThan(claims.tid)),
      }),
    },
  },
  {
    id: 'id_token_wrong_nonce',
    label: 'The nonce is another',
    providers: both,
    idToken: { claims: claims => ({ ...claims, nonce: 'nonce-of-another-sign-in' }) },
  },
  {
    id: 'id_token_wrong_audience',
    label: 'The id_token is for another app',
    providers: both,
    idToken: { claims: claims => ({ ...claims, aud: 'another-app' }) },
  },
  {
    id: 'id_token_expired',
    label: 'The id_token has expired',
    providers: both,
    idToken: {
      claims: claims => ({
        ...claims,
        iat: Number(claims.iat) - 2 * 3600,
        exp: Number(claims.iat) - 3600,
      }),
    },
  },
  {
    id: 'id_token_alg_none',
    label: 'The id_token is not signed (alg none)',
    providers: both,
    idToken: { signedBy: 'nobody' },
  },
  {
    id: 'id_token_hs256',
    label: 'The id_token is signed with the client secret (HS256)',
    providers: both,
    idToken: { signedBy: 'client secret' },
  },
  {
    id: 'id_token_hs256_public_key',
    label: 'The id_token is signed with the public key as an HMAC secret (HS256)',
    providers: both,
    idToken: { signedBy: 'public key' },
  },
  {
    id: 'id_token_unknown_key',
    label: 'The id_token is signed with a key nobody knows',
    providers: both,
    idToken: { signedBy: 'unknown key' },
  },
  {
    id: 'id_token_crossed',
    label: 'Work account, signed with the key of personal accounts (or the reverse)',
    providers: microsoft,
    idToken: { signedBy: 'key of other accounts' },
  },
  {
    id: 'key_rotated',
    label: 'The provider changes its signing key now',
    providers: both,
    rotatesKey: true,
  },
]

const refused: SmtpFault = { what: 'refuse', text: null }

/** @see https://learn.microsoft.com/en-us/exchange/clients-and-mobile-in-exchange-online/authenticated-client-smtp-submission */
const mailServers: Script[] = [
  {
    id: 'smtp_disabled_tenant',
    label: 'SMTP AUTH is off for the tenant',
    providers: microsoft,
    smtp: {
      what: 'refuse',
      text: '5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information.',
    },
  },
  {
    id: 'smtp_disabled_mailbox',
    label: 'SMTP AUTH is off for the mailbox',
    providers: microsoft,
    smtp: {
      what: 'refuse',
      text: '5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox. Visit https://aka.ms/smtp_auth_disabled for more information.',
    },
  },
  {
    id: 'security_defaults',
    label: 'Security defaults lock SMTP',
    providers: microsoft,
    smtp: {
      what: 'refuse',
      text: "5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults policy. Contact your administrator.",
    },
  },
  {
    id: 'smtp_criteria',
    label: 'SMTP: the request does not meet the criteria (Conditional Access)',
    providers: microsoft,
    smtp: {
      what: 'refuse',
      text: '5.7.139 Authentication unsuccessful, the request did not meet the criteria to be authenticated successfully. Contact your administrator.',
    },
  },
  {
    id: 'smtp_535_always',
    label: 'SMTP refuses every login without a reason',
    providers: both,
    smtp: refused,
  },
  {
    id: 'smtp_hangs',
    label: 'SMTP never greets (for everybody of this provider)',
    providers: both,
    smtp: { what: 'hang' },
  },
  {
    id: 'mail_refused',
    label: 'SMTP refuses every mail for its content',
    providers: both,
    // The words are the sandbox's own: each provider has many, under this code.
    smtp: { what: 'refuse mail', status: 550, text: '5.7.0 This message was blocked because of its content' },
  },
  {
    id: 'imap_disabled',
    label: 'IMAP is off: authenticated but not connected',
    providers: microsoft,
    imap: { what: 'not connected' },
  },
  { id: 'imap_refused', label: 'IMAP refuses every login', providers: both, imap: { what: 'refuse' } },
  {
    id: 'imap_hangs',
    label: 'IMAP never greets (for everybody)',
    providers: both,
    imap: { what: 'hang' },
  },
  {
    id: 'gmail_imap_disabled',
    label: 'IMAP is off in the Gmail settings',
    providers: google,
    imap: {
      what: 'alert',
      text: 'Your account is not enabled for IMAP use. Please visit your Gmail settings page and enable your account for IMAP access. (Failure)',
    },
  },
  {
    id: 'no_licence',
    label: 'The account has no Exchange licence',
    providers: microsoft,
    smtp: refused,
    imap: { what: 'not connected' },
  },
  {
    id: 'grant_revoked',
    label: 'The grant was revoked (until the next consent)',
    providers: microsoft,
    token: {
      on: 'refresh',
      does: {
        what: 'refuse',
        status: 400,
        error: 'invalid_grant',
        aadsts: 50173,
        text: 'The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have changed or reset their password.',
      },
    },
    smtp: refused,
    imap: { what: 'refuse' },
    endsWithConsent: true,
  },
  {
    id: 'google_grant_revoked',
    label: 'The grant was revoked (until the next consent)',
    providers: google,
    token: {
      on: 'refresh',
      does: {
        what: 'refuse',
        status: 400,
        error: 'invalid_grant',
        aadsts: null,
        text: 'Token has been expired or revoked.',
      },
    },
    smtp: refused,
    imap: { what: 'refuse' },
    endsWithConsent: true,
  },
]

/** The scripts as a person looks for them. */
export const scriptGroups = [
  { label: 'Signing in', scripts: signingIn },
  { label: 'Tokens', scripts: tokens },
  { label: 'Who it is (id_token)', scripts: identity },
  { label: 'Mail servers', scripts: mailServers },
] as const

/** All of them. */
export const scripts: readonly Script[] = scriptGroups.flatMap(group => group.scripts)

function without(claims: Claims, names: string[]): Claims {
  return Object.fromEntries(Object.entries(claims).filter(([name]) => !names.includes(name)))
}

/** Ada, who lives in Contoso; for Contoso's own people Margaret of Fabrikam. */
function victimOf({ tid }: Claims): string | undefined {
  const victims = personas.filter(({ id }) => id === 'ada' || id === 'margaret')
  return victims.find(({ tenantId }) => tenantId !== tid)?.signInName
}

function otherTenantThan(tenantId: unknown): string {
  return personas.find(persona => persona.tenantId !== null && persona.tenantId !== tenantId)?.tenantId ?? ''
}
