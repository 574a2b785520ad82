/** The people of the sandbox: who can sign in, with which name, and which addresses their mailbox has. Data only. */

/** The two providers the sandbox plays. */
export type ProviderId = 'microsoft' | 'google'

/** One person with one mailbox. */
export interface Persona {
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
  /** What the servers shall answer this person instead of serving; nothing reads it yet, every list is empty. */
  faults: readonly string[]
}

/** The Microsoft tenants, by the name that the consent page shows. */
export const tenants = {
  contoso: '5c1f2c9e-0a3b-4d57-9a41-3f6f0d2f8a10',
  fabrikam: 'b7d9e6a4-61c8-4f0e-8c35-a2e4d8b71f22',
  tenantA: '0e84bd31-7f5a-4c96-b0d2-6d1c9a57e333',
} as const

/** Everybody who can sign in to the sandbox. */
export const personas: readonly Persona[] = [
  {
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
    faults: [],
  },
  {
    // The founding story: she signs in under one domain and her mailbox has its address under another.
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
    faults: [],
  },
  {
    // Signs in by her address, in a third tenant; her id_token carries the optional upn claim.
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
    faults: [],
  },
  {
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
    faults: [],
  },
]

/** All addresses of a persona's mailbox, in lower case: sign-in name, primary address, aliases. */
export function addressesOf(persona: Persona): string[] {
  const addresses = [
    persona.signInName,
    ...(persona.email === null ? [] : [persona.email]),
    ...persona.aliases,
  ]
  return [...new Set(addresses.map(address => address.toLowerCase()))]
}

/** Whether the address, in any spelling of case, belongs to the persona's mailbox. */
export function ownsAddress(persona: Persona, address: string): boolean {
  return addressesOf(persona).includes(address.toLowerCase())
}

/** The persona whose mailbox has the address, undefined for an address of the outside world. */
export function personaByAddress(address: string): Persona | undefined {
  return personas.find(persona => ownsAddress(persona, address))
}

/** The persona with the `sub` claim that a token or grant carries. */
export function personaBySubject(subject: string): Persona | undefined {
  return personas.find(persona => persona.subject === subject)
}
