/** The providers Postroom knows without being told. */

import type { ProviderEntry, Providers } from './provider.ts'

/**
 * Sources: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow,
 * https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth,
 * https://developers.google.com/identity/protocols/oauth2/web-server,
 * https://developers.google.com/workspace/gmail/imap/imap-smtp
 */
const microsoft: ProviderEntry = {
  displayName: 'Microsoft 365',
  issuer: 'https://login.microsoftonline.com/{tid}/v2.0',
  authorizationEndpoint: 'https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize',
  tokenEndpoint: 'https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token',
  jwksUri: 'https://login.microsoftonline.com/{tenant}/discovery/v2.0/keys',
  revocationEndpoint: null,
  adminConsentEndpoint: 'https://login.microsoftonline.com/organizations/v2.0/adminconsent',
  scopes: [
    'openid',
    'profile',
    'email',
    'offline_access',
    'https://outlook.office.com/IMAP.AccessAsUser.All',
    'https://outlook.office.com/SMTP.Send',
  ],
  mailScopes: { imap: 'IMAP.AccessAsUser.All', smtp: 'SMTP.Send' },
  authorizationParameters: { prompt: 'select_account' },
  identity: ['tid', 'oid'],
  // Outlook.com and the like: https://learn.microsoft.com/entra/identity-platform/id-token-claims-reference (`tid`)
  personalTenants: ['9188040d-6c67-4c5b-b112-36a304b66dad'],
  // Exchange's SMTP takes only the token's UPN; the `email` claim may be a proxy address (founding story).
  loginClaims: ['preferred_username', 'upn', 'email'],
  imap: { host: 'outlook.office365.com', port: 993, security: 'tls' },
  smtp: { host: 'smtp.office365.com', port: 587, security: 'starttls' },
  savesSentCopies: true,
  limits: { smtpConnections: 3, messagesPerMinute: 30, messageBytes: 26_214_400 },
}

/** A national cloud has its own sign-in, hosts and resource, and needs an app registration of its own. */
function nationalCloud(cloud: {
  displayName: string
  authority: string
  resource: string
  imapHost: string
  smtpHost: string
}): ProviderEntry {
  const { displayName, authority, resource, imapHost, smtpHost } = cloud
  return {
    ...microsoft,
    displayName,
    issuer: `${authority}/{tid}/v2.0`,
    authorizationEndpoint: `${authority}/{tenant}/oauth2/v2.0/authorize`,
    tokenEndpoint: `${authority}/{tenant}/oauth2/v2.0/token`,
    jwksUri: `${authority}/{tenant}/discovery/v2.0/keys`,
    adminConsentEndpoint: `${authority}/organizations/v2.0/adminconsent`,
    scopes: microsoft.scopes.map(scope => scope.replace('https://outlook.office.com', resource)),
    imap: { ...microsoft.imap, host: imapHost },
    smtp: { ...microsoft.smtp, host: smtpHost },
  }
}

export const builtInProviders: Providers = {
  microsoft,
  google: {
    displayName: 'Google',
    issuer: 'https://accounts.google.com',
    issuerAliases: ['accounts.google.com'],
    authorizationEndpoint: 'https://accounts.google.com/o/oauth2/v2/auth',
    tokenEndpoint: 'https://oauth2.googleapis.com/token',
    jwksUri: 'https://www.googleapis.com/oauth2/v3/certs',
    revocationEndpoint: 'https://oauth2.googleapis.com/revoke',
    adminConsentEndpoint: null,
    scopes: ['openid', 'profile', 'email', 'https://mail.google.com/'],
    mailScopes: { imap: 'https://mail.google.com/', smtp: 'https://mail.google.com/' },
    // Without both, Google gives a refresh token only at the very first consent.
    authorizationParameters: { access_type: 'offline', prompt: 'select_account consent' },
    identity: ['iss', 'sub'],
    personalTenants: ['gmail.com', 'googlemail.com'],
    // https://developers.google.com/identity/protocols/oauth2#expiration
    grantDaysInTesting: 7,
    loginClaims: ['email'],
    imap: { host: 'imap.gmail.com', port: 993, security: 'tls' },
    smtp: { host: 'smtp.gmail.com', port: 465, security: 'tls' },
    savesSentCopies: true,
    limits: { smtpConnections: 2, messagesPerMinute: 20, messageBytes: 26_214_400 },
  },
  /** @see https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud */
  'microsoft-gcc-high': nationalCloud({
    displayName: 'Microsoft 365 GCC High',
    authority: 'https://login.microsoftonline.us',
    resource: 'https://outlook.office365.us',
    imapHost: 'outlook.office365.us',
    smtpHost: 'smtp.office365.us',
  }),
  'microsoft-dod': nationalCloud({
    displayName: 'Microsoft 365 DoD',
    authority: 'https://login.microsoftonline.us',
    resource: 'https://outlook-dod.office365.us',
    imapHost: 'outlook-dod.office365.us',
    smtpHost: 'outlook-dod.office365.us',
  }),
  'microsoft-china': nationalCloud({
    displayName: 'Microsoft 365 operated by 21Vianet',
    authority: 'https://login.partner.microsoftonline.cn',
    resource: 'https://partner.outlook.cn',
    imapHost: 'partner.outlook.cn',
    smtpHost: 'smtp.partner.outlook.cn',
  }),
}
