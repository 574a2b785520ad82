/** What a persona's script does at the token endpoint: before the request is looked at, and to the answer. */
import type { ServerResponse } from 'node:http'
import type { Context } from 'oidc-provider'
import type { Directory } from './directory.ts'
import { entraErrorBody } from './entra-errors.ts'
import { sendJson } from './http-exchange.ts'
import { reshapeIdToken } from './id-token.ts'
import type { Persona } from './personas.ts'
import type { Script } from './scripts.ts'
import { type KeyRing, keyOwnerOf } from './signing-keys.ts'

/**
 * Answers as the persona's script says, or does nothing: then the request goes on.
 *
 * @param of.refreshing whether a refresh token and not a code is shown
 * @returns whether the request is done with, be it that nobody ever answers
 */
export function answerByScript(
  response: ServerResponse,
  of: { script: Script | undefined; refreshing: boolean; nowMs: number },
): boolean {
  const { script, refreshing, nowMs } = of
  if (!script?.token || (script.token.on === 'refresh' && !refreshing)) return false
  const { does } = script.token
  if (does.what === 'drop') return false
  if (does.what === 'page') {
    response.writeHead(does.status, { 'content-type': 'text/html; charset=utf-8' })
    response.end(does.html)
  } else if (does.what === 'refuse') {
    const { status, error, aadsts, text } = does
    const plain = { error, error_description: text }
    const body = aadsts === null ? plain : entraErrorBody({ error, aadsts, text }, nowMs)
    sendJson(response, { status, body })
  }
  return true
}

/** What a change of an answer needs. */
export interface AnswerChanges {
  directory: Directory
  keys: KeyRing
  clientSecret: string
}

/** Changes an answer that gives tokens, as the script of their owner says; or ends the connection in its place. */
export async function changeAnswer(context: Context, changes: AnswerChanges): Promise<void> {
  const persona = changes.directory.personaBySubject(context.oidc.entities.Account?.accountId ?? '')
  const script = persona && changes.directory.scriptOf(persona)
  if (!script || context.status !== 200 || typeof context.body !== 'object' || context.body === null) return
  if (script.token?.does.what === 'drop') {
    context.respond = false
    context.res.destroy()
    return
  }
  context.body = await changedTokens({ ...context.body }, { script, persona, changes })
}

async function changedTokens(
  answer: Record<string, unknown>,
  { script, persona, changes }: { script: Script; persona: Persona; changes: AnswerChanges },
): Promise<Record<string, unknown>> {
  const changed = { ...answer }
  if (script.omits) delete changed[script.omits]
  if (script.respellsScopes) changed.scope = respelled(String(answer.scope))
  if (script.idToken && typeof answer.id_token === 'string') {
    const { keys, clientSecret } = changes
    const signing = { keys, clientSecret, owner: keyOwnerOf(persona) }
    changed.id_token = await reshapeIdToken(answer.id_token, { shape: script.idToken, signing })
  }
  return changed
}

/** Microsoft promises neither order nor case, and knows both host names for the same resource. */
function respelled(scope: string): string {
  return scope
    .split(' ')
    .reverse()
    .map(name => name.replace(/^https:\/\/outlook\.office\.com\/(.*)$/, 'https://outlook.office365.com/$1'))
    .map(name => (name.startsWith('https:') ? name.toUpperCase() : name))
    .join(' ')
}
