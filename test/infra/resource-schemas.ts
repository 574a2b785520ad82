/**
 * What CloudFormation's published resource schemas say against a template, found without an account.
 *
 * The schemas come with `@aws-cdk/aws-service-spec`, the database that aws-cdk-lib itself is generated from. Checked: a
 * resource's type exists, its properties are known, the required ones are there, each value has a type that its property
 * takes, and each `Fn::GetAtt` names an attribute. A value that only CloudFormation can work out fits everywhere.
 * The schemas do not say, so this does not: lengths, patterns, and what a service refuses only when asked.
 */

import { loadAwsServiceSpec } from '@aws-cdk/aws-service-spec'

interface Schema {
  properties: Properties
  attributes: Record<string, unknown>
}
type Properties = Record<string, { type: ValueType; previousTypes?: ValueType[]; required?: boolean }>
interface ValueType {
  type: string
  allowedValues?: (string | number)[]
  element?: ValueType
  types?: ValueType[]
  reference?: { $ref: string }
}

export interface Template {
  Resources: Record<string, { Type: string; Properties?: Record<string, unknown> }>
  Outputs?: Record<string, unknown>
}

/** Answers one sentence for each thing in the template that CloudFormation would not take; none if all is well. */
export async function loadResourceSchemas(): Promise<(template: Template) => string[]> {
  const database = await loadAwsServiceSpec()
  const schemaOf = (type: string): Schema | undefined =>
    database.lookup('resource', 'cloudFormationType', 'equals', type)[0]
  const propertiesOf = (reference: { $ref: string }): Properties =>
    database.get('typeDefinition', reference).properties

  function faultsOfProperties(
    value: Record<string, unknown>,
    properties: Properties,
    path: string,
  ): string[] {
    const missing = Object.entries(properties)
      .filter(([name, { required }]) => required && !(name in value))
      .map(([name]) => `${path}.${name} is required`)
    const wrong = Object.entries(value).flatMap(([name, inner]) => {
      const property = properties[name]
      if (!property) return [`${path}.${name} is not a property`]
      // An older type stays valid: CloudFormation never takes one away.
      return faultsOfValue(inner, [property.type, ...(property.previousTypes ?? [])], `${path}.${name}`)
    })
    return [...missing, ...wrong]
  }

  /** None if the value fits one of the types; else what the type that fits best says. */
  function faultsOfValue(value: unknown, types: ValueType[], path: string): string[] {
    if (isIntrinsic(value)) return []
    const [best = []] = types
      .map(type => faultsOfType(value, type, path))
      .sort((one, other) => one.length - other.length)
    return best
  }

  function faultsOfType(value: unknown, type: ValueType, path: string): string[] {
    const unlike = (rule: string) => [`${path} must be ${rule}, found ${JSON.stringify(value)}`]
    switch (type.type) {
      case 'union':
        return faultsOfValue(value, type.types ?? [], path)
      case 'array':
        if (!Array.isArray(value)) return unlike('a list')
        return value.flatMap((item, at) => faultsOfValue(item, [type.element as ValueType], `${path}[${at}]`))
      case 'map':
        if (!isObject(value)) return unlike('an object')
        return Object.entries(value).flatMap(([name, item]) =>
          faultsOfValue(item, [type.element as ValueType], `${path}.${name}`),
        )
      case 'ref':
        if (!isObject(value)) return unlike('an object')
        return faultsOfProperties(value, propertiesOf(type.reference as { $ref: string }), path)
      case 'tag':
        return isObject(value) && 'Key' in value && 'Value' in value ? [] : unlike('a tag')
      case 'json':
        return isObject(value) || Array.isArray(value) ? [] : unlike('an object')
      case 'boolean':
        return typeof value === 'boolean' ? [] : unlike('true or false')
      case 'integer':
        return Number.isInteger(value) && isAllowed(value, type) ? [] : unlike('an integer')
      case 'number':
        return typeof value === 'number' ? [] : unlike('a number')
      case 'string':
        if (typeof value !== 'string') return unlike('a string')
        return isAllowed(value, type) ? [] : unlike(`one of ${type.allowedValues?.join(', ')}`)
      case 'date-time':
        return typeof value === 'string' ? [] : unlike('a time')
      default:
        throw new Error(`The schemas hold a type this check does not know: ${type.type} at ${path}`)
    }
  }

  return template =>
    Object.entries(template.Resources).flatMap(([id, { Type, Properties = {} }]) => {
      const schema = schemaOf(Type)
      if (!schema) return [`${id}: ${Type} is not a resource type`]
      return [
        ...faultsOfProperties(Properties, schema.properties, id),
        ...attributesNamedIn(Properties)
          .filter(([of]) => of in template.Resources)
          .filter(
            ([of, attribute]) =>
              !(attribute in (schemaOf(template.Resources[of]?.Type ?? '')?.attributes ?? {})),
          )
          .map(([of, attribute]) => `${id}: ${of} has no attribute ${attribute}`),
      ]
    })
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function isIntrinsic(value: unknown): boolean {
  if (!isObject(value)) return false
  const [name = '', ...others] = Object.keys(value)
  return others.length === 0 && (name === 'Ref' || name.startsWith('Fn::'))
}

const isAllowed = (value: unknown, { allowedValues }: ValueType): boolean =>
  !allowedValues || allowedValues.includes(value as string | number)

/** Every `Fn::GetAtt` within a value, as [logical id, attribute]. */
function attributesNamedIn(value: unknown): [string, string][] {
  if (Array.isArray(value)) return value.flatMap(attributesNamedIn)
  if (!isObject(value)) return []
  const named = value['Fn::GetAtt']
  if (Array.isArray(named)) return [[String(named[0]), String(named[1])]]
  return Object.values(value).flatMap(attributesNamedIn)
}
