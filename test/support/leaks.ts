/** Looks for what must stand nowhere: every secret of a running system, in whatever spelling. */

import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { RunningSystem } from './running-system.ts'

/** A secret as it is, and as URLs, JSON, base64 and hexadecimal digits would show it, wherever in a text it begins. */
function spellings(secret: string): string[] {
  const inner = [0, 1, 2].map(offset => {
    const encoded = Buffer.concat([Buffer.alloc(offset), Buffer.from(secret)]).toString('base64')
    // The letters at both ends depend on what stands beside the secret.
    return encoded.slice(4, -4)
  })
  return [
    secret,
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
    ...inner,
    ...inner.map(text => text.replaceAll('+', '-').replaceAll('/', '_')),
    Buffer.from(secret).toString('hex'),
  ]
}

/** @returns which secret stands in which place */
export function leaks(secrets: Map<string, string>, places: Map<string, string>): string[] {
  return [...secrets].flatMap(([what, secret]) =>
    [...places]
      .filter(([, text]) => spellings(secret).some(s => text.includes(s)))
      .map(([place]) => `${what} in ${place}`),
  )
}

/** The apps' client secrets, the API's key, and every code and token that the providers have issued, whatever became of it. */
export function issuedSecrets({ folder, system }: RunningSystem): Map<string, string> {
  const secrets = new Map([['the API’s key', system.apiKey]])
  const apps = system.sandbox?.apps
  if (apps)
    secrets
      .set('Microsoft’s client secret', apps.microsoft.clientSecret)
      .set('Google’s client secret', apps.google.clientSecret)
  const database = new DatabaseSync(join(folder, 'sandbox', 'tokens.sqlite'), { readOnly: true })
  const rows = database
    .prepare(
      "SELECT model, id FROM issued WHERE model IN ('AuthorizationCode', 'RefreshToken', 'AccessToken')",
    )
    .all()
  for (const [index, { model, id }] of rows.entries()) secrets.set(`${model} ${index}`, String(id))
  database.close()
  return secrets
}
