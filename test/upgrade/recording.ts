/**
 * A data folder of `npm start` (infra/local/data-folder.ts) as one JSON document, and that document as a data folder again:
 * both tables, the queues with their messages, the bucket, the key that seals, and the sandbox's people, tokens and mail.
 */

import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { DescribeTableCommand, DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient, PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb'
import type { Json } from '../../infra/local/as-app.ts'
import { ensureTable, startTables } from '../../infra/local/tables.ts'
import { type ReleasedTemplate, summaryOf } from '../infra/released-template.ts'
import { asCaller } from '../support/behind-the-api.ts'
import { laterBy } from './shifted-times.ts'

type Value = string | number | null | { text: string } | { base64: string }
type Row = Record<string, Value>

export interface Recording {
  /** How it was made, for whoever looks into the file. */
  about: string
  /** When the folder was left. */
  recordedAt: string
  /** What the release answered and showed, as record.ts asked it. */
  told: Json
  /** By stack: what the release after must leave as it is. */
  templates: Record<string, ReleasedTemplate>
  /** By path: what is neither table nor database. */
  files: Record<string, string | { base64: string }>
  /** By path: SQLite databases. */
  databases: Record<string, { schema: string[]; rows: Record<string, Row[]> }>
  tables: { definition: Json; items: Json[] }[]
}

const databases = ['cloud/aws/fauxqs.db', 'sandbox/tokens.sqlite']
const tablesFolder = 'cloud/dynamodb'
/** Ports, so that issuers and URLs stay what they are. Not the certificate: each machine trusts its own. */
const isKept = (path: string) =>
  [
    'ports.json',
    'cloud/format',
    'cloud/kms.key',
    'sandbox/directory.json',
    'sandbox/signing-keys.json',
  ].includes(path) || path.startsWith('sandbox/mail/')

/** @param folder that no process uses */
export async function recordFolder(
  folder: string,
): Promise<Pick<Recording, 'templates' | 'files' | 'databases' | 'tables'>> {
  const paths = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter(entry => entry.isFile())
    .map(entry => relative(folder, join(entry.parentPath, entry.name)))
    .filter(isKept)
    .sort()
  const files = await Promise.all(
    paths.map(async path => {
      const value = ofBytes(await readFile(join(folder, path)))
      return [path, 'text' in value ? value.text : value] as const
    }),
  )
  return {
    templates: await readTemplates(join(folder, 'assembly')),
    files: Object.fromEntries(files),
    databases: Object.fromEntries(databases.map(path => [path, readDatabase(join(folder, path))])),
    tables: await withTables(folder, readTables),
  }
}

/**
 * Makes the folder as it was, so that it looks as if it had been left a while ago: times in tables, queues and tokens move
 * with today; those in mails, which are bytes, and those sealed or signed stay.
 * @returns what was told, with its times moved alike
 */
export async function putBack(
  folder: string,
  recording: Recording,
  leftMsAgo: number,
): Promise<{ told: Json }> {
  const minuteMs = 60_000
  const shiftMs =
    Math.floor((Date.now() - leftMsAgo - Date.parse(recording.recordedAt)) / minuteMs) * minuteMs
  for (const [path, content] of Object.entries(recording.files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), typeof content === 'string' ? content : toBytes(content))
  }
  for (const [path, content] of Object.entries(recording.databases)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    if (existsSync(join(folder, path))) throw new Error(`There is a ${path} already`)
    writeDatabase(join(folder, path), laterBy(shiftMs, content))
  }
  await mkdir(join(folder, tablesFolder), { recursive: true })
  await withTables(folder, (client, endpoint) =>
    writeTables(client, { endpoint, tables: laterBy(shiftMs, recording.tables) }),
  )
  return { told: laterBy(shiftMs, recording.told) }
}

async function readTemplates(assembly: string): Promise<Recording['templates']> {
  const stacks = ['PostroomData', 'Postroom']
  const templates = await Promise.all(
    stacks.map(stack => readFile(join(assembly, `${stack}.template.json`), 'utf8')),
  )
  return Object.fromEntries(
    stacks.map((stack, index) => [stack, summaryOf(JSON.parse(templates[index] ?? ''))]),
  )
}

function readDatabase(file: string): Recording['databases'][string] {
  const database = new DatabaseSync(file)
  const entries = database.prepare('SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL').all()
  const rows: Record<string, Row[]> = {}
  for (const { type, name } of entries) {
    if (type !== 'table') continue
    const found = database.prepare(`SELECT * FROM "${name}"`).all()
    if (found.length > 0)
      rows[String(name)] = found.map(row =>
        Object.fromEntries(
          Object.entries(row).map(([column, value]) => [
            column,
            value instanceof Uint8Array ? ofBytes(Buffer.from(value)) : (value as Value),
          ]),
        ),
      )
  }
  database.close()
  return { schema: entries.map(({ sql }) => String(sql)), rows }
}

function writeDatabase(file: string, { schema, rows }: Recording['databases'][string]): void {
  const database = new DatabaseSync(file)
  database.exec(schema.join(';\n'))
  for (const [table, all] of Object.entries(rows)) {
    for (const row of all) {
      const values = { ...row, ...(typeof row.body === 'string' && { md5_of_body: md5(row.body) }) }
      const names = Object.keys(values)
      database
        .prepare(
          `INSERT INTO "${table}" (${names.map(name => `"${name}"`).join()}) VALUES (${names.map(() => '?').join()})`,
        )
        .run(
          ...Object.values(values).map(value =>
            typeof value === 'object' && value ? toBytes(value) : value,
          ),
        )
    }
  }
  database.close()
}

/** A queue's message whose body holds a time is another one once the time has moved. */
const md5 = (text: string) => createHash('md5').update(text).digest('hex')

async function withTables<T>(
  folder: string,
  use: (client: DynamoDBClient, endpoint: string) => Promise<T>,
): Promise<T> {
  const engine = await startTables({ folder: join(folder, tablesFolder), port: 0 })
  try {
    return await use(new DynamoDBClient({ ...asCaller(), endpoint: engine.endpoint }), engine.endpoint)
  } finally {
    await engine.close()
  }
}

async function readTables(client: DynamoDBClient): Promise<Recording['tables']> {
  const { TableNames = [] } = await client.send(new ListTablesCommand())
  return Promise.all(
    TableNames.map(async TableName => {
      const { Table } = await client.send(new DescribeTableCommand({ TableName }))
      const { Items = [] } = await DynamoDBDocumentClient.from(client).send(new ScanCommand({ TableName }))
      return {
        definition: {
          TableName,
          KeySchema: Table?.KeySchema,
          AttributeDefinitions: Table?.AttributeDefinitions,
          GlobalSecondaryIndexes: Table?.GlobalSecondaryIndexes?.map(
            ({ IndexName, KeySchema, Projection }) => ({ IndexName, KeySchema, Projection }),
          ),
        },
        items: Items.map(item =>
          Object.fromEntries(
            Object.entries(item).map(([name, value]) => [
              name,
              value instanceof Uint8Array ? { base64: Buffer.from(value).toString('base64') } : value,
            ]),
          ),
        ),
      }
    }),
  )
}

async function writeTables(
  client: DynamoDBClient,
  { endpoint, tables }: { endpoint: string; tables: Recording['tables'] },
): Promise<void> {
  const documents = DynamoDBDocumentClient.from(client)
  for (const { definition, items } of tables) {
    await ensureTable(endpoint, { name: definition.TableName, properties: definition })
    for (const item of items) {
      const values = Object.entries<Json>(item).map(([name, value]) => [
        name,
        typeof value?.base64 === 'string' ? toBytes(value) : value,
      ])
      await documents.send(
        new PutCommand({ TableName: definition.TableName, Item: Object.fromEntries(values) }),
      )
    }
  }
}

/** Readable where it is text. */
function ofBytes(bytes: Buffer): { text: string } | { base64: string } {
  const text = bytes.toString('utf8')
  return Buffer.from(text).equals(bytes) ? { text } : { base64: bytes.toString('base64') }
}

function toBytes(value: { text: string } | { base64: string }): Buffer {
  return 'text' in value ? Buffer.from(value.text) : Buffer.from(value.base64, 'base64')
}
