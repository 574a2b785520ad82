/** Makes the two tables on an engine exactly as the synthesized template describes them. */

import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { openTable } from '../../functions/channel/table.ts'
import { ensureTable } from '../../infra/local/tables.ts'
import { plainName, readAssembly, region } from '../../infra/local/template.ts'
import { templateFolder } from '../support/cache.ts'
import type { Tables } from './tables-under-test.ts'

/** @param endpoint origin of an engine that has neither table yet */
export async function makeTemplateTables(endpoint: string): Promise<Tables & { close(): void }> {
  const { resources } = await readAssembly(templateFolder)
  const client = new DynamoDBClient({
    endpoint,
    region,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  })

  async function make(name: string) {
    const resource = resources.find(
      ({ type, logicalId }) => type === 'AWS::DynamoDB::GlobalTable' && plainName(logicalId) === name,
    )
    if (!resource) throw new Error(`The template has no table ${name}`)
    await ensureTable(endpoint, { name, properties: resource.properties })
    return openTable(client, name)
  }

  return { main: await make('Main'), secrets: await make('Secrets'), close: () => client.destroy() }
}
