/** Who is who at present: names that an admin changed, the script that each persona follows, the tenants that approved the app. */

import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import * as v from 'valibot'
import { parse } from '../../functions/channel/schema-check.ts'
import {
  type MailboxHolder,
  ownsAddress,
  type Persona,
  type ProviderId,
  personas,
  sharedMailboxes,
} from './personas.ts'
import { type Script, scripts } from './scripts.ts'

const namesSchema = v.object({
  signInName: v.string(),
  email: v.nullable(v.string()),
  aliases: v.array(v.string()),
})
const stateSchema = v.object({
  /** By persona's id; those who are missing have the names they began with. */
  names: v.record(v.string(), namesSchema),
  /** Script's id by persona's id. */
  scripts: v.record(v.string(), v.string()),
  approvedTenants: v.array(v.string()),
})

/** The people and mailboxes as they are now. What it was told is on disk when a call returns. */
export interface Directory {
  /** Everybody who can sign in. */
  personas(): readonly Persona[]
  /** The persona with the `sub` claim that a token or grant carries. */
  personaBySubject(subject: string): Persona | undefined
  /** The mailboxes of all personas, and those that are shared. */
  mailboxes(): readonly MailboxHolder[]
  /** Whose mailbox has the address, undefined for an address of the outside world. */
  holderOf(address: string): MailboxHolder | undefined
  /** Gives a persona other names. The mailbox keeps the former primary address as a further one. */
  rename(persona: Persona, names: { signInName: string; email: string | null }): Persona
  /** What the persona follows, undefined where everything goes as usual. */
  scriptOf(persona: Persona): Script | undefined
  /** Sets what the persona follows from now on; undefined ends it. */
  follow(persona: Persona, script: Script | undefined): void
  /** The scripts that are followed at present, with the provider of who follows. */
  scriptsInUse(): { provider: ProviderId; script: Script }[]
  /** Whether an administrator of the tenant consented to the app for everybody in it. */
  isApproved(tenantId: string | null): boolean
  approve(tenantId: string): void
}

/**
 * Reads the file, or begins with everybody as usual.
 *
 * @throws {Error} naming the file, if it is damaged
 */
export function openDirectory(file: string): Directory {
  const state = readState(file)

  /** By rename, so that a crash leaves the old file or the new one. */
  function save(): void {
    writeFileSync(`${file}.new`, JSON.stringify(state), { flush: true })
    renameSync(`${file}.new`, file)
  }

  function everybody(): Persona[] {
    return personas.map(persona => ({ ...persona, ...state.names[persona.id] }))
  }

  function mailboxes(): MailboxHolder[] {
    return [...everybody(), ...sharedMailboxes]
  }

  function scriptOf({ id }: Persona): Script | undefined {
    return scripts.find(script => script.id === state.scripts[id])
  }

  return {
    personas: everybody,
    personaBySubject: subject => everybody().find(persona => persona.subject === subject),
    mailboxes,
    holderOf: address => mailboxes().find(holder => ownsAddress(holder, address)),
    rename: (persona, { signInName, email }) => {
      const former = persona.email === null ? [] : [persona.email]
      const aliases = [...new Set([...persona.aliases, ...former])].filter(
        alias => alias.toLowerCase() !== email?.toLowerCase(),
      )
      state.names[persona.id] = { signInName, email, aliases }
      save()
      return { ...persona, signInName, email, aliases }
    },
    scriptOf,
    follow: ({ id }, script) => {
      if (script) state.scripts[id] = script.id
      else delete state.scripts[id]
      save()
    },
    scriptsInUse: () =>
      personas.flatMap(persona => {
        const script = scriptOf(persona)
        return script ? [{ provider: persona.provider, script }] : []
      }),
    isApproved: tenantId => tenantId !== null && state.approvedTenants.includes(tenantId),
    approve: tenantId => {
      state.approvedTenants = [...new Set([...state.approvedTenants, tenantId])]
      save()
    },
  }
}

function readState(file: string): v.InferOutput<typeof stateSchema> {
  try {
    return parse(stateSchema, JSON.parse(readFileSync(file, 'utf8')))
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT')
      return { names: {}, scripts: {}, approvedTenants: [] }
    throw new Error(`Cannot read the sandbox's people: ${file} is damaged: delete it to begin as usual`, {
      cause,
    })
  }
}
