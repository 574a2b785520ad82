/** Everything that Postroom relies on in DynamoDB, as tests that run against any engine. */

import { afterAll, beforeAll, describe } from 'vitest'
import { useEngines } from '../support/engines.ts'
import { eventLog } from './event-log.ts'
import { racingNouns } from './racing-nouns.ts'
import { readingMany } from './reading-many.ts'
import { sealedSecrets } from './sealed-secrets.ts'
import { sparseIndexes } from './sparse-indexes.ts'
import { storedNouns } from './stored-nouns.ts'
import { storedValues } from './stored-values.ts'
import type { Tables } from './tables-under-test.ts'
import { writingOne } from './writing-one.ts'

export interface TestTables extends Tables {
  close(): Promise<void>
}

/**
 * Registers the tests.
 * @param open makes the two tables with the template's keys and indexes, empty
 */
export function storageContract(engine: string, open: () => Promise<TestTables>): void {
  let opened: TestTables | undefined
  const running = (): TestTables => {
    if (!opened) throw new Error('The tables are not open')
    return opened
  }
  const tables: Tables = {
    get main() {
      return running().main
    },
    get secrets() {
      return running().secrets
    },
  }

  describe(`storage on ${engine}`, () => {
    beforeAll(async () => {
      opened = await open()
    })
    afterAll(() => opened?.close())
    // Whatever stores the items: events are published and keys are wrapped by engines that are not under test.
    const engines = useEngines()

    writingOne(tables)
    storedValues(tables)
    readingMany(tables)
    sparseIndexes(tables)
    storedNouns(tables, engines)
    eventLog(tables, engines)
    sealedSecrets(tables, engines)
    racingNouns(tables, engines)
  })
}
