import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startTables } from '../../infra/local/tables.ts'
import { storageContract } from './storage-contract.ts'
import { makeTemplateTables } from './template-tables.ts'

storageContract('dynalite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'postroom-contract-'))
  const engine = await startTables({ folder, port: 0 })
  const { main, secrets, close } = await makeTemplateTables(engine.endpoint)
  return {
    main,
    secrets,
    async close() {
      close()
      await engine.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
})
