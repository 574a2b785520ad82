import { openMemoryTable } from '../support/memory-table.ts'
import { storageContract } from './storage-contract.ts'

storageContract('the table that simulations use', async () => ({
  main: openMemoryTable(),
  secrets: openMemoryTable(),
  close: async () => {},
}))
