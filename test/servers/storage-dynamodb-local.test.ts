import { describe } from 'vitest'
import { storageContract } from '../storage-contract/storage-contract.ts'
import { makeTemplateTables } from '../storage-contract/template-tables.ts'
import { startDynamodbLocal } from './dynamodb-local.ts'
import { missingForStorage } from './installed.ts'

describe.skipIf(missingForStorage !== null)('Amazon’s own engine', () => {
  storageContract('DynamoDB Local', async () => {
    const engine = await startDynamodbLocal()
    const { main, secrets, close } = await makeTemplateTables(engine.endpoint)
    return {
      main,
      secrets,
      async close() {
        close()
        await engine.stop()
      },
    }
  })
})
