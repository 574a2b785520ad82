/** Reads a synthesized CDK app and resolves the CloudFormation intrinsics in it. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isObject, type JsonObject, listOf, objectOf, parseJson, textOf } from './json-shape.ts'
import { LocalError } from './local-error.ts'

/** fauxqs and dynalite know one account and assume this region where a caller names none. */
export const account = '000000000000'
export const region = 'us-east-1'

export interface Resource {
  stack: string
  logicalId: string
  type: string
  /** With intrinsics still in them. */
  properties: JsonObject
  metadata: JsonObject
}

export interface Assembly {
  folder: string
  resources: Resource[]
  outputs: { stack: string; name: string; value: unknown; exportName: unknown }[]
  /** Defaults of template parameters by `stack/name`. */
  parameters: Map<string, unknown>
}

/** What `Ref` and `Fn::GetAtt` give for one resource. */
export interface Identity {
  ref: string
  attributes: Record<string, string>
}

export type Resolve = (stack: string, value: unknown) => unknown

export function keyOf(resource: { stack: string; logicalId: string }): string {
  return `${resource.stack}/${resource.logicalId}`
}

/** CDK appends eight hexadecimal digits of the construct's path to every id it makes: `Fetch84857CE8` is `Fetch`. */
export function plainName(logicalId: string): string {
  return logicalId.replace(/(?<=.)[0-9A-F]{8}$/, '')
}

/**
 * Reads every stack that the folder's manifest names.
 * @throws LocalError if the manifest or a template is absent or not JSON
 */
export async function readAssembly(folder: string): Promise<Assembly> {
  const manifest = await readJsonFile(join(folder, 'manifest.json'))
  const assembly: Assembly = { folder, resources: [], outputs: [], parameters: new Map() }
  for (const [stack, artifact] of Object.entries(objectOf(manifest.artifacts))) {
    const { type, properties } = objectOf(artifact)
    const file = textOf(objectOf(properties).templateFile)
    if (type !== 'aws:cloudformation:stack' || file === undefined) continue
    readStack(assembly, { stack, template: await readJsonFile(join(folder, file)) })
  }
  return assembly
}

function readStack(assembly: Assembly, { stack, template }: { stack: string; template: JsonObject }): void {
  for (const [logicalId, resource] of Object.entries(objectOf(template.Resources))) {
    const { Type, Properties, Metadata } = objectOf(resource)
    assembly.resources.push({
      stack,
      logicalId,
      type: textOf(Type) ?? '',
      properties: objectOf(Properties),
      metadata: objectOf(Metadata),
    })
  }
  for (const [name, output] of Object.entries(objectOf(template.Outputs))) {
    const { Value, Export } = objectOf(output)
    assembly.outputs.push({ stack, name, value: Value, exportName: objectOf(Export).Name })
  }
  for (const [name, parameter] of Object.entries(objectOf(template.Parameters))) {
    assembly.parameters.set(`${stack}/${name}`, objectOf(parameter).Default)
  }
}

async function readJsonFile(file: string): Promise<JsonObject> {
  const text = await readFile(file, 'utf8').catch(error => {
    throw new LocalError(`The synthesized app lacks the file ${file}.`, { cause: error })
  })
  const content = parseJson(text)
  if (!isObject(content))
    throw new LocalError(`The file ${file} of the synthesized app is not a JSON object.`)
  return content
}

/**
 * Makes the function that replaces intrinsics by their values. What cannot be resolved (a role's ARN, an intrinsic
 * not listed here) becomes undefined, never an error: most of a template speaks of things that do not exist locally.
 */
export function createResolve(assembly: Assembly, identities: Map<string, Identity>): Resolve {
  const pseudo = new Map<string, string>([
    ['AWS::Region', region],
    ['AWS::AccountId', account],
    ['AWS::Partition', 'aws'],
    ['AWS::URLSuffix', 'amazonaws.com'],
  ])

  function reference(stack: string, name: string): unknown {
    if (name === 'AWS::StackName') return stack
    const key = `${stack}/${name}`
    return pseudo.get(name) ?? identities.get(key)?.ref ?? assembly.parameters.get(key)
  }

  function attribute(stack: string, path: unknown): unknown {
    const [logicalId, name] = typeof path === 'string' ? path.split('.', 2) : listOf(path)
    return identities.get(`${stack}/${logicalId}`)?.attributes[String(name)]
  }

  function imported(stack: string, name: unknown): unknown {
    const wanted = resolve(stack, name)
    const output = assembly.outputs.find(
      ({ stack: owner, exportName }) => wanted !== undefined && resolve(owner, exportName) === wanted,
    )
    return output && resolve(output.stack, output.value)
  }

  function joined(stack: string, argument: unknown): string | undefined {
    const [separator, parts] = listOf(argument)
    if (!Array.isArray(parts)) return undefined
    const texts = parts.map(part => resolve(stack, part))
    return texts.includes(undefined) ? undefined : texts.join(String(separator))
  }

  function substituted(stack: string, argument: unknown): string | undefined {
    const [text, variables] = Array.isArray(argument) ? argument : [argument, {}]
    let complete = true
    const result = String(text).replace(/\$\{([^!}]+)\}/g, (_, name: string) => {
      const own = objectOf(variables)[name]
      const value =
        own !== undefined
          ? resolve(stack, own)
          : name.includes('.')
            ? attribute(stack, name)
            : reference(stack, name)
      if (value === undefined) complete = false
      return String(value)
    })
    // `${!Literal}` stands for the characters `${Literal}`.
    return complete ? result.replaceAll('${!', '${') : undefined
  }

  function resolve(stack: string, value: unknown): unknown {
    if (Array.isArray(value)) return value.map(item => resolve(stack, item))
    if (!isObject(value)) return value
    const [[name, argument] = [], ...more] = Object.entries(value)
    if (more.length === 0) {
      if (name === 'Ref') return reference(stack, String(argument))
      if (name === 'Fn::GetAtt') return attribute(stack, argument)
      if (name === 'Fn::ImportValue') return imported(stack, argument)
      if (name === 'Fn::Join') return joined(stack, argument)
      if (name === 'Fn::Sub') return substituted(stack, argument)
      if (name?.startsWith('Fn::')) return undefined
    }
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolve(stack, item)]))
  }

  return resolve
}
