/** Contract: what is sealed opens in its own context only, under keys that all functions share. */

import { beforeAll, describe, expect, test } from 'vitest'
import type { Engines } from '../support/engines.ts'
import { thrownBy } from '../support/thrown-error.ts'
import { type Nouns, openNouns } from './nouns.ts'
import type { Tables } from './tables-under-test.ts'

export function sealedSecrets(tables: Tables, engines: Engines): void {
  let nouns: Nouns
  beforeAll(async () => {
    nouns = openNouns(tables, await engines.fresh())
  })

  describe('sealed secrets', () => {
    const context = { accountId: 'acme', ownerId: 'ch_1', field: 'refreshToken' }

    test('open in the context they were sealed in, in any function', async () => {
      const sealed = await nouns.newSeal().seal('geheim ✓', context)
      expect(sealed).not.toContain('geheim')
      expect(await nouns.newSeal().open(sealed, context)).toBe('geheim ✓')
    })

    test.each([{ accountId: 'other' }, { ownerId: 'ch_2' }, { field: 'accessToken' }])(
      'do not open with %o',
      async change => {
        const seal = nouns.newSeal()
        const sealed = await seal.seal('geheim', context)
        const error = await thrownBy(() => seal.open(sealed, { ...context, ...change }))
        expect(error.code).toBe('secret_unreadable')
      },
    )
  })
}
