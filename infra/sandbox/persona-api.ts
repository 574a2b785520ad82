/**
 * The sandbox's HTTP interface to its people: who is there, what they follow, what they are called.
 *
 *   GET /personas                → {personas: [{id, provider, name, signInName, email, aliases, script}]}
 *   PUT /personas/{id}           {signInName?, email?} → the persona; tokens have the new names from the next one on
 *   PUT /personas/{id}/script    {script: id | null} → the persona; null is as usual
 *   GET /mailboxes               → {mailboxes: [{id, kind: person | shared, provider, name, addresses, …}]}
 *   GET /scripts                 → {scripts: [{id, label, group, providers}]}
 * The two PUTs are POSTs where the page's forms call them.
 */
import * as v from 'valibot'
import type { Directory } from './directory.ts'
import { type Exchange, mediaType, RequestError, readBody, redirect, sendJson } from './http-exchange.ts'
import { addressesOf, type MailboxHolder, type Persona } from './personas.ts'
import { parseInput, parseJson } from './request-input.ts'
import { type Choosing, chooseScript, scriptNamed } from './script-choice.ts'
import { scriptGroups } from './scripts.ts'

const limitBytes = 100_000
const address = v.pipe(v.string(), v.rfcEmail('must be a mail address'), v.maxLength(254))
const namesSchema = v.pipe(
  v.strictObject({ signInName: v.optional(address), email: v.optional(v.nullable(address)) }),
  v.check(
    names => names.signInName !== undefined || names.email !== undefined,
    'must name signInName or email',
  ),
)
const scriptSchema = v.strictObject({ script: v.nullable(v.string()) })

/** Answers a request; false if there is nothing at its path. */
export async function answerPersonaApi(exchange: Exchange, choosing: Choosing): Promise<boolean> {
  const { request, response, url } = exchange
  const { directory } = choosing
  const [first, id, ...rest] = url.pathname.slice(1).split('/')
  const path = `/${[first, id === undefined ? null : '*', ...rest].filter(part => part !== null).join('/')}`
  const changes = request.method === 'PUT' || request.method === 'POST'
  if (request.method === 'GET' && path === '/personas') {
    const personas = directory.personas().map(persona => describe(persona, directory))
    sendJson(response, { status: 200, body: { personas } })
  } else if (request.method === 'GET' && path === '/mailboxes') {
    sendJson(response, { status: 200, body: { mailboxes: directory.mailboxes().map(describeMailbox) } })
  } else if (request.method === 'GET' && path === '/scripts') {
    sendJson(response, { status: 200, body: { scripts: describeScripts() } })
  } else if (changes && path === '/personas/*') {
    await rename(exchange, { directory, persona: personaOf(directory, id) })
  } else if (changes && path === '/personas/*/script') {
    await follow(exchange, { choosing, persona: personaOf(directory, id) })
  } else return false
  return true
}

/** @throws {RequestError} 404 */
function personaOf(directory: Directory, id: string | undefined): Persona {
  const persona = directory.personas().find(candidate => candidate.id === id)
  if (!persona) throw new RequestError('There is no such persona', { status: 404, field: 'id' })
  return persona
}

/** What everybody may know about a persona. */
function describe(persona: Persona, directory: Directory): object {
  const { id, provider, name, signInName, email, aliases } = persona
  return { id, provider, name, signInName, email, aliases, script: directory.scriptOf(persona)?.id ?? null }
}

function describeMailbox(holder: MailboxHolder): object {
  const { id, kind, provider, name } = holder
  const shared = holder.kind === 'shared' ? { fullAccess: holder.fullAccess, sendAs: holder.sendAs } : {}
  return { id, kind, provider, name, addresses: addressesOf(holder), ...shared }
}

function describeScripts(): object[] {
  return scriptGroups.flatMap(group =>
    group.scripts.map(({ id, label, providers }) => ({ id, label, group: group.label, providers })),
  )
}

async function rename(
  exchange: Exchange,
  { directory, persona }: { directory: Directory; persona: Persona },
): Promise<void> {
  const names = parseInput(namesSchema, await inputOf(exchange))
  const wanted = {
    signInName: names.signInName ?? persona.signInName,
    email: names.email === undefined ? persona.email : names.email,
  }
  // A Google account signs in with its address, so that the two are one.
  if (persona.provider === 'google') {
    const one = names.signInName ?? names.email
    if (!one || (names.email !== undefined && names.email !== one))
      throw new RequestError('email: must be the signInName at Google', { status: 400, field: 'email' })
    Object.assign(wanted, { signInName: one, email: one })
  }
  for (const field of ['signInName', 'email'] as const) {
    const holder = directory.holderOf(wanted[field] ?? '')
    if (holder && holder.id !== persona.id)
      throw new RequestError(`${field}: is an address of ${holder.name}`, { status: 409, field })
  }
  finish(exchange, { persona: directory.rename(persona, wanted), directory })
}

async function follow(
  exchange: Exchange,
  { choosing, persona }: { choosing: Choosing; persona: Persona },
): Promise<void> {
  const { script } = parseInput(scriptSchema, await inputOf(exchange))
  const chosen = script === null || script === '' ? undefined : scriptNamed(script, persona.provider)
  await chooseScript(choosing, { persona, script: chosen })
  finish(exchange, { persona, directory: choosing.directory })
}

/** JSON, or a form of the page, whose empty fields are as good as none. */
async function inputOf({ request }: Exchange): Promise<unknown> {
  const body = await readBody(request, limitBytes)
  if (!isForm(request)) return parseJson(body)
  const fields = [...new URLSearchParams(body.toString('utf8'))]
  return Object.fromEntries(fields.filter(([name, value]) => value !== '' || name === 'script'))
}

function isForm(request: Exchange['request']): boolean {
  return mediaType(request) === 'application/x-www-form-urlencoded'
}

function finish(
  { request, response }: Exchange,
  { persona, directory }: { persona: Persona; directory: Directory },
): void {
  if (isForm(request)) redirect(response, `/#${persona.id}`)
  else sendJson(response, { status: 200, body: describe(persona, directory) })
}
