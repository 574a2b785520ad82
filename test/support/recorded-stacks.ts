/**
 * CloudFormation without resources, for recording-account.ts: change sets and their execution, imports of another stack's
 * outputs, termination protection, and what a removed stack leaves. What CloudFormation refuses is refused in its words, since the CDK CLI
 * reads some of them.
 */

/** What the service answers instead; `status` is HTTP's. */
export class Refusal extends Error {
  readonly code: string
  readonly status: number
  constructor(code: string, message: string, status = 400) {
    super(message)
    this.code = code
    this.status = status
  }
}

type Input = Record<string, string>

interface Resource {
  Type: string
  DeletionPolicy?: string
  Properties?: Record<string, unknown>
}

interface Template {
  Resources: Record<string, Resource>
  Outputs?: Record<string, { Value: unknown }>
}

interface Stack {
  name: string
  id: string
  status: string
  /** As it was given, to the byte; nothing yet until a change set is executed. */
  body: string
  terminationProtection: boolean
  changeSet?: { id: string; body: string }
}

interface Place {
  account: string
  region: string
  /** @returns the object at this address of S3 */
  readTemplate(url: string): string | undefined
}

const nothing = '{"Resources":{}}'

export class RecordedStacks {
  /** `stack/logical id` of each resource that outlived its stack. */
  readonly left: string[] = []
  /** The next stack that is made cannot be made. */
  failsOnce = false
  readonly #stacks: Stack[] = []
  readonly #place: Place

  constructor(place: Place) {
    this.#place = place
  }

  call(action: string, input: Input): object {
    switch (action) {
      case 'DescribeStacks':
        return { Stacks: [this.#described(this.#named(input.StackName))] }
      case 'GetTemplate':
        return { TemplateBody: this.#named(input.StackName).body }
      case 'CreateChangeSet':
        return this.#createChangeSet(input)
      case 'DescribeChangeSet':
        return this.#describeChangeSet(input)
      case 'DeleteChangeSet':
        this.#named(input.StackName).changeSet = undefined
        return {}
      case 'ExecuteChangeSet':
        return this.#executeChangeSet(input)
      case 'UpdateTerminationProtection':
        this.#named(input.StackName).terminationProtection = input.EnableTerminationProtection === 'true'
        return {}
      case 'DescribeStackEvents':
        return { StackEvents: [] }
      case 'DeleteStack':
        return this.#deleteStack(input)
      default:
        throw new Refusal('InvalidAction', `${action} is not known here`)
    }
  }

  /** Of the live stacks, in the order in which they were made. */
  get names(): string[] {
    return this.#live.map(({ name }) => name)
  }

  isProtected(name: string): boolean {
    return this.#named(name).terminationProtection
  }

  /** As it was given, to the byte. */
  body(name: string): string {
    return this.#named(name).body
  }

  outputs(name: string): Record<string, string> {
    const stack = this.#named(name)
    const { Outputs = {} } = parseTemplate(stack.body)
    return Object.fromEntries(
      Object.entries(Outputs).map(([key, { Value }]) => [key, this.#resolve(Value, stack)]),
    )
  }

  /** Of the stack that `cdk bootstrap` makes; without it no role may be assumed and no bucket is there. */
  get bootstrapVersion(): string | undefined {
    const toolkit = this.#live.find(
      ({ name, status }) => name === 'CDKToolkit' && status !== 'REVIEW_IN_PROGRESS',
    )
    return /CdkBootstrapVersion:.*?Value: "(\d+)"/s.exec(toolkit?.body ?? '')?.[1]
  }

  get #live(): Stack[] {
    return this.#stacks.filter(({ status }) => status !== 'DELETE_COMPLETE')
  }

  /** A removed stack is found by its id alone. */
  #named(name = ''): Stack {
    const found = this.#live.find(stack => stack.name === name) ?? this.#stacks.find(({ id }) => id === name)
    if (!found) throw new Refusal('ValidationError', `Stack with id ${name} does not exist`)
    return found
  }

  #described({ name, id, status, terminationProtection }: Stack): object {
    const inReview = status === 'REVIEW_IN_PROGRESS'
    const outputs = inReview ? {} : this.outputs(id)
    return {
      StackName: name,
      StackId: id,
      StackStatus: status,
      CreationTime: '2030-01-01T00:00:00Z',
      EnableTerminationProtection: terminationProtection,
      Outputs: Object.entries(outputs).map(([OutputKey, OutputValue]) => ({ OutputKey, OutputValue })),
    }
  }

  #createChangeSet(input: Input): object {
    const { StackName: name = '', TemplateURL, TemplateBody } = input
    const body = TemplateURL ? this.#place.readTemplate(TemplateURL) : TemplateBody
    if (body === undefined) throw new Refusal('ValidationError', `S3 error: Access Denied for ${TemplateURL}`)
    if (body.includes('AWS::IAM::Role') && !Object.values(input).includes('CAPABILITY_NAMED_IAM'))
      throw new Refusal('InsufficientCapabilitiesException', 'Requires capabilities : [CAPABILITY_NAMED_IAM]')
    if (input.ChangeSetType === 'CREATE' && !this.names.includes(name)) {
      const id = this.#arn(`stack/${name}/${this.#stacks.length}`)
      this.#stacks.push({
        name,
        id,
        status: 'REVIEW_IN_PROGRESS',
        body: nothing,
        terminationProtection: false,
      })
    }
    const stack = this.#named(name)
    stack.changeSet = { id: this.#arn(`changeSet/${input.ChangeSetName}/1`), body }
    return { Id: stack.changeSet.id, StackId: stack.id }
  }

  #describeChangeSet({ StackName, ChangeSetName = '' }: Input): object {
    const { id, name, body: before, changeSet } = this.#named(StackName)
    if (!changeSet) throw new Refusal('ChangeSetNotFound', `ChangeSet [${ChangeSetName}] does not exist`, 404)
    const [old, fresh] = [resourcesOf(before), resourcesOf(changeSet.body)]
    const changes = [...new Set([...Object.keys(old), ...Object.keys(fresh)])]
      .filter(logicalId => JSON.stringify(old[logicalId]) !== JSON.stringify(fresh[logicalId]))
      .map(logicalId => ({
        Type: 'Resource',
        ResourceChange: {
          Action: !old[logicalId] ? 'Add' : !fresh[logicalId] ? 'Remove' : 'Modify',
          LogicalResourceId: logicalId,
          ResourceType: (fresh[logicalId] ?? old[logicalId])?.Type,
        },
      }))
    const described = { StackId: id, StackName: name, ChangeSetId: changeSet.id, ChangeSetName }
    return before === changeSet.body
      ? { ...described, Status: 'FAILED', StatusReason: "The submitted information didn't contain changes." }
      : { ...described, Status: 'CREATE_COMPLETE', ExecutionStatus: 'AVAILABLE', Changes: changes }
  }

  #executeChangeSet({ StackName }: Input): object {
    const stack = this.#named(StackName)
    const isNew = stack.status === 'REVIEW_IN_PROGRESS'
    if (this.failsOnce) {
      this.failsOnce = false
      stack.changeSet = undefined
      stack.status = 'ROLLBACK_COMPLETE'
      return {}
    }
    stack.body = stack.changeSet?.body ?? stack.body
    stack.changeSet = undefined
    for (const name of importsOf(stack.body)) this.#imported(name)
    stack.status = isNew ? 'CREATE_COMPLETE' : 'UPDATE_COMPLETE'
    return {}
  }

  #deleteStack({ StackName }: Input): object {
    const stack = this.#named(StackName)
    const { name, terminationProtection, body } = stack
    if (terminationProtection) {
      throw new Refusal(
        'ValidationError',
        `Stack [${name}] cannot be deleted while TerminationProtection is enabled`,
      )
    }
    for (const [logicalId, { DeletionPolicy = '' }] of Object.entries(resourcesOf(body)))
      if (DeletionPolicy.startsWith('Retain')) this.left.push(`${name}/${logicalId}`)
    stack.status = 'DELETE_COMPLETE'
    return {}
  }

  /** Physical names are made up: `Postroom-Http36EFD62B` for a `Ref`, `….Arn` for an attribute. */
  #resolve(value: unknown, stack: Stack): string {
    if (typeof value !== 'object' || value === null) return String(value)
    const [[name, argument] = []] = Object.entries(value)
    const { account, region } = this.#place
    const pseudo: Record<string, string> = {
      'AWS::Region': region,
      'AWS::AccountId': account,
      'AWS::Partition': 'aws',
      'AWS::StackName': stack.name,
    }
    const named = (id: string) => pseudo[id] ?? `${stack.name}-${id}`
    if (name === 'Ref') return named(argument)
    if (name === 'Fn::GetAtt') return named([argument].flat().join('.'))
    if (name === 'Fn::Join')
      return argument[1].map((part: unknown) => this.#resolve(part, stack)).join(argument[0])
    if (name === 'Fn::ImportValue') return this.#imported(argument)
    return JSON.stringify(value)
  }

  /** CDK names an export after its stack and output: `PostroomData:ExportsOutputRefMain54E5BC7043F1307B`. */
  #imported(name: string): string {
    const [stack = '', output = ''] = name.split(':')
    const value = this.names.includes(stack) ? this.outputs(stack)[output] : undefined
    if (value === undefined) throw new Refusal('ValidationError', `No export named ${name} found`)
    return value
  }

  #arn(rest: string): string {
    return `arn:aws:cloudformation:${this.#place.region}:${this.#place.account}:${rest}`
  }
}

/** The template of `cdk bootstrap` is YAML: of it nothing is read but its version. */
const parseTemplate = (body: string): Template => JSON.parse(body.startsWith('{') ? body : nothing)

const importsOf = (body: string): string[] =>
  [...body.matchAll(/"Fn::ImportValue": "([^"]+)"/g)].map(([, name = '']) => name)

const resourcesOf = (body: string): Record<string, Resource> => parseTemplate(body).Resources
