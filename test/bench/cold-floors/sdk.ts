/** The floor of a function that keeps anything: one read of a table, by the AWS SDK alone. */

import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb'

const client = new DynamoDBClient({})

export const handler = async (): Promise<unknown> =>
  client.send(new GetItemCommand({ TableName: 'Main', Key: { pk: { S: 'a' }, sk: { S: 'b' } } }))
