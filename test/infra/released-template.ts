/**
 * What of a release's templates the next one must leave as it is: what holds data or is known elsewhere must not be replaced,
 * since a replaced table is an empty one; and an export must stay as long as the other stack, which is updated later, imports it.
 *
 * Which properties cannot change without a replacement says the CloudFormation schema that the CDK CLI brings for `cdk diff`.
 */

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import { gunzipSync } from 'node:zlib'
import type { Json } from '../../infra/local/as-app.ts'

/** Of one stack. */
export interface ReleasedTemplate {
  /** By logical id. */
  kept: Record<string, { type: string; fixed: Record<string, unknown>; indexes?: string[] }>
  /** Value by name. */
  exports: Record<string, unknown>
  imports: string[]
}

/** What else may be made anew at any time. */
const keptTypes = [
  'AWS::DynamoDB::GlobalTable',
  'AWS::S3::Bucket',
  'AWS::KMS::Key',
  'AWS::SecretsManager::Secret',
  'AWS::SQS::Queue',
  'AWS::SNS::Topic',
  'AWS::ApiGatewayV2::Api',
  'AWS::IAM::Role',
]

/** The schema lets them change; KMS then refuses the whole update, as its documentation says. */
const refusedOfKeys = ['KeySpec', 'KeyUsage', 'Origin', 'MultiRegion']

let fixedByType: Map<string, string[]> | undefined

function fixedOf(type: string): string[] {
  fixedByType ??= readFixed()
  const fixed = fixedByType.get(type)
  if (!fixed) throw new Error(`The schema does not know ${type}`)
  return type === 'AWS::KMS::Key' ? [...fixed, ...refusedOfKeys] : fixed
}

function readFixed(): Map<string, string[]> {
  const file = fileURLToPath(new URL('../../node_modules/aws-cdk/db.json.gz', import.meta.url))
  const { schema }: Json = JSON.parse(gunzipSync(readFileSync(file)).toString('utf8'))
  return new Map(
    schema.resource.entities.map(({ cloudFormationType, properties }: Json) => [
      cloudFormationType,
      Object.keys(properties).filter(name => ['yes', 'maybe'].includes(properties[name].causesReplacement)),
    ]),
  )
}

/** @param template as synthesized */
export function summaryOf(template: Json): ReleasedTemplate {
  const kept: ReleasedTemplate['kept'] = {}
  for (const [id, { Type: type, Properties = {} }] of Object.entries<Json>(template.Resources)) {
    // A role without a name of its own is known to nobody.
    if (!keptTypes.includes(type) || (type === 'AWS::IAM::Role' && !Properties.RoleName)) continue
    const names = fixedOf(type).filter(name => name in Properties)
    const indexes = Properties.GlobalSecondaryIndexes?.map(({ IndexName }: Json) => IndexName)
    kept[id] = {
      type,
      fixed: Object.fromEntries(names.map(name => [name, Properties[name]])),
      ...(indexes && { indexes }),
    }
  }
  const exported = Object.values<Json>(template.Outputs ?? {}).filter(({ Export }) => Export)
  const imported = JSON.stringify(template).matchAll(/"Fn::ImportValue":"([^"]+)"/g)
  return {
    kept,
    exports: Object.fromEntries(exported.map(({ Export, Value }) => [Export.Name, Value])),
    imports: [...new Set([...imported].map(([, name = '']) => name))].sort(),
  }
}

type Stacks = Record<string, ReleasedTemplate>

/** @returns one line for each thing that an update of a deployed release would lose, or that CloudFormation would refuse */
export function breaksOf(released: Stacks, today: Stacks): string[] {
  const imported = Object.values(released).flatMap(({ imports }) => imports)
  return Object.entries(released).flatMap(([stack, before]) => {
    const after = today[stack]
    if (!after) return [`${stack}: is gone`]
    const lostExports = Object.keys(before.exports).filter(
      name => imported.includes(name) && !isDeepStrictEqual(before.exports[name], after.exports[name]),
    )
    return [
      ...Object.keys(before.kept).flatMap(id => breaksOfOne(id, before.kept[id], after.kept[id])),
      ...lostExports.map(name => `${name}: is still imported and must stay as it is`),
    ]
  })
}

type Kept = ReleasedTemplate['kept'][string]

function breaksOfOne(id: string, before: Kept | undefined, after: Kept | undefined): string[] {
  if (before?.type !== after?.type || !before || !after) return [`${id}: is gone`]
  const names = [...new Set([...Object.keys(before.fixed), ...Object.keys(after.fixed)])]
  const changed = names.filter(name => !isDeepStrictEqual(before.fixed[name], after.fixed[name]))
  const [old, present] = [before.indexes ?? [], after.indexes ?? []]
  const lost = old.filter(index => !present.includes(index))
  const added = present.filter(index => !old.includes(index))
  return [
    ...changed.map(name => `${id}.${name}: its change replaces it`),
    ...lost.map(index => `${id}: the release before still reads the index ${index}`),
    // DynamoDB takes one new index with an update.
    ...(added.length > 1 ? [`${id}: ${added.length} new indexes in one update`] : []),
  ]
}
