/** Nonce and PKCE verifier of one sign-in: kept encrypted between the two halves, taken out once. */

import * as v from 'valibot'
import { type ConnectSession, sessionLifeMs } from '../channel/connect-sessions.ts'
import { hashSecret } from '../channel/identifiers.ts'
import { parse } from '../channel/schema-check.ts'
import type { Seal } from '../channel/seal.ts'
import { readItem, type Table } from '../channel/table.ts'

export interface VerifierServices {
  secrets: Table
  seal: Seal
  now(): number
}

const storedSchema = v.object({ sealed: v.string() })
const pairSchema = v.object({ nonce: v.string(), codeVerifier: v.string() })

/** By state: pressing "continue" twice makes two sign-ins, of which the last one counts. */
const verifierKey = (sessionId: string, state: string) => ({
  pk: `SESSION#${sessionId}`,
  sk: `VERIFIER#${hashSecret(state)}`,
})

const contextOf = (session: ConnectSession) => ({
  accountId: session.accountId,
  ownerId: session.id,
  field: 'verifier',
})

export async function keepVerifier(
  session: ConnectSession,
  { state, nonce, codeVerifier }: { state: string; nonce: string; codeVerifier: string },
  { secrets, seal, now }: VerifierServices,
): Promise<void> {
  const sealed = await seal.seal(JSON.stringify({ nonce, codeVerifier }), contextOf(session))
  const ttl = Math.floor((now() + sessionLifeMs) / 1000)
  await secrets.put({ ...verifierKey(session.id, state), sealed, ttl })
}

/** @returns undefined if it was taken before */
export async function takeVerifier(
  session: ConnectSession,
  state: string,
  { secrets, seal }: VerifierServices,
): Promise<v.InferOutput<typeof pairSchema> | undefined> {
  const key = verifierKey(session.id, state)
  const item = await secrets.get(key)
  if (!item || !(await secrets.remove(key, { exists: true }))) return undefined
  return parse(
    pairSchema,
    JSON.parse(await seal.open(readItem(storedSchema, item).sealed, contextOf(session))),
  )
}
