/** Makes once and keeps the RSA keys by which the sandbox's identity providers sign. */
import { randomUUID } from 'node:crypto'
import { chmod, readFile, rename, writeFile } from 'node:fs/promises'
import { exportJWK, generateKeyPair, type JWK } from 'jose'
import { z } from 'zod'
import type { ProviderId } from './personas.ts'

const privateKeySchema = z.looseObject({
  kty: z.literal('RSA'),
  kid: z.string(),
  alg: z.literal('RS256'),
  use: z.literal('sig'),
  n: z.string(),
  e: z.string(),
  d: z.string(),
})
const keyFileSchema = z.object({ microsoft: privateKeySchema, google: privateKeySchema })

/** A private RSA key in JWK form, with `kid`, `alg` and `use`. */
export type SigningKey = z.infer<typeof privateKeySchema>

/**
 * Reads the key of each provider from the file, or makes the file (mode 0600).
 *
 * @throws {Error} naming the file, if it is there but is not what this function writes
 */
export async function signingKeys(file: string): Promise<Record<ProviderId, SigningKey>> {
  const text = await readFile(file, 'utf8').catch(error => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return makeKeys(file)
  try {
    return keyFileSchema.parse(JSON.parse(text))
  } catch (cause) {
    throw new Error(
      `Cannot read the sandbox's signing keys: ${file} is damaged: delete it and sign in again`,
      { cause },
    )
  }
}

/** The half of a key that everybody may see, as a JWKS entry. */
export function publicKey({ kty, kid, alg, use, n, e }: SigningKey): JWK & { kid: string } {
  return { kty, kid, alg, use, n, e }
}

async function makeKeys(file: string): Promise<Record<ProviderId, SigningKey>> {
  const keys = { microsoft: await makeKey(), google: await makeKey() }
  await writeFile(`${file}.new`, JSON.stringify(keys), { mode: 0o600 })
  await chmod(`${file}.new`, 0o600)
  await rename(`${file}.new`, file)
  return keys
}

async function makeKey(): Promise<SigningKey> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true })
  return privateKeySchema.parse({
    ...(await exportJWK(privateKey)),
    kid: randomUUID(),
    alg: 'RS256',
    use: 'sig',
  })
}
