/** Who the sandbox begins with: people, their names and addresses, and the mailboxes that several share. Data only. */

/** The two providers the sandbox plays. */
export type ProviderId = 'microsoft' | 'google'

/** One person with one mailbox. */
export interface Persona {
  kind: 'person'
  /** Short name for URLs and for the consent form. */
  id: string
  provider: ProviderId
  name: string
  /** Microsoft: the user principal name (UPN), which SMTP demands as `user=`. Google: the account's address. */
  signInName: string
  /** The `email` claim, which is the mailbox's primary address; null where an account has none. */
  email: string | null
  /** Further addresses of the same mailbox. */
  aliases: readonly string[]
  /** Microsoft: the tenant's GUID (`tid`). Google: null. */
  tenantId: string | null
  /** Microsoft: the immutable object id (`oid`). Google: null. */
  objectId: string | null
  /** The `sub` claim, which differs from `oid` as a pairwise subject does. */
  subject: string
  /** Microsoft: whether the app registration of this tenant asks for the optional `upn` claim. */
  upnClaim: boolean
  /** Google: the `hd` claim of a Workspace account, null for a consumer account. */
  hostedDomain: string | null
}

/** A mailbox that nobody signs in to: others open it with their own tokens. */
export interface SharedMailbox {
  kind: 'shared'
  id: string
  provider: 'microsoft'
  name: string
  email: string
  aliases: readonly string[]
  /** Ids of the personas who may open it. */
  fullAccess: readonly string[]
  /** Ids of the personas who may send with its address as From. */
  sendAs: readonly string[]
}

/** Whatever has folders and addresses. */
export type MailboxHolder = Persona | SharedMailbox

/** Microsoft's one tenant for all personal accounts. */
const consumerTenantId = '9188040d-6c67-4c5b-b112-36a304b66dad'

/** The Microsoft tenants, by the name that the consent page shows. */
export const tenants = {
  contoso: '5c1f2c9e-0a3b-4d57-9a41-3f6f0d2f8a10',
  fabrikam: 'b7d9e6a4-61c8-4f0e-8c35-a2e4d8b71f22',
  tenantA: '0e84bd31-7f5a-4c96-b0d2-6d1c9a57e333',
  consumers: consumerTenantId,
} as const

/** Everybody who can sign in to the sandbox, as they are named at first; the directory knows their present names. */
export const personas: readonly Persona[] = [
  {
    kind: 'person',
    id: 'ada',
    provider: 'microsoft',
    name: 'Ada Lovelace',
    signInName: 'ada@contoso.example',
    email: 'ada@contoso.example',
    aliases: ['ada.lovelace@contoso.example'],
    tenantId: tenants.contoso,
    objectId: '2f6b8c14-93d0-4b7e-a5c1-70e2b49d1a01',
    subject: 'Qx7mT0c2ZkV5p1R9sLwYb3NfHd8aGjUeK4iOyEvAada',
    upnClaim: false,
    hostedDomain: null,
  },
  {
    // The founding story: she signs in under one domain and her mailbox has its address under another.
    kind: 'person',
    id: 'grace',
    provider: 'microsoft',
    name: 'Grace Hopper',
    signInName: 'grace@tenant-a.example',
    email: 'Grace.Hopper@tenant-b.example',
    aliases: [],
    tenantId: tenants.tenantA,
    objectId: '8d05e7f2-1c4a-4e69-b8f3-5a96c7d30b02',
    subject: 'Lw4nB8xJ1qFv6Ye0TzKs2RmCg9PdUh5oXi7AaWEgrace',
    upnClaim: true,
    hostedDomain: null,
  },
  {
    // Signs in by her address, in a third tenant; her id_token carries the optional upn claim.
    kind: 'person',
    id: 'margaret',
    provider: 'microsoft',
    name: 'Margaret Hamilton',
    signInName: 'margaret@fabrikam.example',
    email: 'margaret@fabrikam.example',
    aliases: ['apollo@fabrikam.example'],
    tenantId: tenants.fabrikam,
    objectId: 'c4a19b63-e852-4f1d-97a0-1be83f5d6c03',
    subject: 'Vd2hS6kP9rZt3Xb7McQy1LnGf8JwEo0uTi5KaYHmaggie',
    upnClaim: true,
    hostedDomain: null,
  },
  {
    // His account has no mail attribute, so that there is never an `email` claim; his mailbox has his sign-in name.
    kind: 'person',
    id: 'alan',
    provider: 'microsoft',
    name: 'Alan Turing',
    signInName: 'alan@contoso.example',
    email: null,
    aliases: [],
    tenantId: tenants.contoso,
    objectId: '71e0c3ba-4d96-4b2f-8a17-d35f09e6c804',
    subject: 'Hn5cW1yM7bXr9Gs3TqLz0VdPk6JfEu8oAi2KaYBalan',
    upnClaim: true,
    hostedDomain: null,
  },
  {
    // A personal account: Microsoft has one tenant for all of them, and other keys than for work accounts.
    kind: 'person',
    id: 'edsger',
    provider: 'microsoft',
    name: 'Edsger Dijkstra',
    signInName: 'edsger@outlook-sandbox.example',
    email: 'edsger@outlook-sandbox.example',
    aliases: [],
    tenantId: tenants.consumers,
    objectId: '00000000-0000-0000-5b3e-90c7a1d24f05',
    subject: 'AAAAAAAAAAAAAAAAAAAAAJ4tRk8vNp2eQdsger',
    upnClaim: false,
    hostedDomain: null,
  },
  {
    kind: 'person',
    id: 'linus',
    provider: 'google',
    name: 'Linus Lindqvist',
    signInName: 'linus@gmail-sandbox.example',
    email: 'linus@gmail-sandbox.example',
    aliases: [],
    tenantId: null,
    objectId: null,
    subject: '108204268033311374519',
    upnClaim: false,
    hostedDomain: null,
  },
]

/** Ada may open both, and send as one of them; nobody else may. */
export const sharedMailboxes: readonly SharedMailbox[] = [
  {
    kind: 'shared',
    id: 'support',
    provider: 'microsoft',
    name: 'Contoso Support',
    email: 'support@contoso.example',
    aliases: [],
    fullAccess: ['ada'],
    sendAs: ['ada'],
  },
  {
    kind: 'shared',
    id: 'billing',
    provider: 'microsoft',
    name: 'Contoso Billing',
    email: 'billing@contoso.example',
    aliases: [],
    fullAccess: ['ada'],
    sendAs: [],
  },
]

/** Where mail for the mailbox goes: its primary address, or the sign-in name where an account has none. */
export function primaryAddressOf(holder: MailboxHolder): string {
  return holder.kind === 'shared' ? holder.email : (holder.email ?? holder.signInName)
}

/** All addresses of a mailbox, in lower case: sign-in name, primary address, aliases. */
export function addressesOf(holder: MailboxHolder): string[] {
  const signInName = holder.kind === 'shared' ? [] : [holder.signInName]
  const addresses = [...signInName, primaryAddressOf(holder), ...holder.aliases]
  return [...new Set(addresses.map(address => address.toLowerCase()))]
}

/** Whether the address, in any spelling of case, belongs to the mailbox. */
export function ownsAddress(holder: MailboxHolder, address: string): boolean {
  return addressesOf(holder).includes(address.toLowerCase())
}
