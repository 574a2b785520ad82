/** Functions in their execution environments: one event at a time, errors, time-outs, the end of a thread. */

import { expect, onTestFinished, test, vi } from 'vitest'
import type { CloudOptions } from '../../infra/local/cloud.ts'
import { FunctionError } from '../../infra/local/function-error.ts'
import { type HandMadeFunction, type RunningApp, runApp } from './hand-made-app.ts'

/** Tells which boot answered, so that a test sees whether the thread was kept. */
const code = `
const boot = crypto.randomUUID()
let running = 0
export async function handler(event, context) {
  running += 1
  try {
    if (event.do === 'throw') throw Object.assign(new TypeError('no such thing'), {})
    if (event.do === 'hang') await new Promise(() => setInterval(() => {}, 1000))
    if (event.do === 'spin') for (;;);
    if (event.do === 'exit') process.exit(7)
    if (event.do === 'crash') { setImmediate(() => { throw new Error('nobody caught this') }); await new Promise(() => {}) }
    if (event.do === 'fill') { const all = []; for (;;) all.push(new Array(100_000).fill(Math.random())) }
    if (event.do === 'log') { console.log('plain'); console.log(JSON.stringify({ level: 'INFO', n: 1 })); console.error('bad') }
    if (event.do === 'wait') await new Promise(resolve => setTimeout(resolve, 300))
    return { boot, running, env: process.env, remaining: context.getRemainingTimeInMillis(), context }
  } finally {
    running -= 1
  }
}`

interface Answer {
  boot: string
  running: number
  env: Record<string, string>
  remaining: number
  context: Record<string, unknown>
}

async function run(definition: Partial<HandMadeFunction> = {}, given: Partial<CloudOptions> = {}) {
  const running = await runApp({ functions: { Work84857CE8: { code, ...definition } } }, given)
  onTestFinished(running.end)
  return running
}

async function ask({ cloud }: RunningApp, event: object = {}): Promise<Answer> {
  return (await cloud.invoke('Work', event)) as Answer
}

async function failureOf({ cloud }: RunningApp, event: object): Promise<FunctionError> {
  const error = await cloud.invoke('Work', event).catch(reason => reason)
  if (error instanceof FunctionError) return error
  throw new Error(`no FunctionError but ${error}`)
}

test('a handler that throws gives type and message, and keeps its thread', async () => {
  const app = await run()
  const { boot } = await ask(app)
  expect(await failureOf(app, { do: 'throw' })).toMatchObject({
    errorType: 'TypeError',
    errorMessage: 'no such thing',
  })
  expect((await ask(app)).boot).toBe(boot)
})

test.for(['hang', 'spin'])(
  'a handler that does not end (%s) is timed out, the next event meets a fresh thread',
  async how => {
    const app = await run({ timeoutSeconds: 0.3 })
    const { boot } = await ask(app)
    expect(await failureOf(app, { do: how })).toMatchObject({
      errorType: 'Sandbox.Timedout',
      errorMessage: 'Task timed out after 0.30 seconds',
    })
    expect((await ask(app)).boot).not.toBe(boot)
  },
)

test.for([
  ['exit', 'Runtime.ExitError'],
  ['crash', 'Error'],
] as const)(
  'a thread that ends (%s) rejects what it was running, and the next boots afresh',
  async ([how, type]) => {
    const app = await run()
    const { boot } = await ask(app)
    expect((await failureOf(app, { do: how })).errorType).toBe(type)
    expect((await ask(app)).boot).not.toBe(boot)
  },
)

test('a function may not use more heap than its memory', async () => {
  const app = await run({ memoryMegabytes: 32, timeoutSeconds: 20 })
  expect((await failureOf(app, { do: 'fill' })).errorMessage).toMatch(/memory/i)
})

test('kill() ends what is running, the next call meets a fresh thread', async () => {
  const app = await run({ timeoutSeconds: 20 })
  const { boot } = await ask(app)
  const failure = failureOf(app, { do: 'spin' })
  await app.cloud.kill('Work')
  expect((await failure).errorType).toBe('Runtime.ExitError')
  expect((await ask(app)).boot).not.toBe(boot)
})

test('one thread has one event at a time; more at once get threads of their own, two at most', async () => {
  const app = await run()
  const answers = await Promise.all(Array.from({ length: 6 }, () => ask(app, { do: 'wait' })))
  expect(answers.map(({ running }) => running)).toEqual([1, 1, 1, 1, 1, 1])
  expect(new Set(answers.map(({ boot }) => boot)).size).toBe(2)
})

test('the environment holds resolved template variables, overrides, and the engines', async () => {
  const app = await runApp(
    {
      resources: { Jobs: { Type: 'AWS::SQS::Queue', Properties: {} } },
      functions: {
        Work: {
          code,
          variables: { QUEUE: { Ref: 'Jobs' }, MODE: 'template', ROLE: { 'Fn::GetAtt': ['Nowhere', 'Arn'] } },
        },
      },
    },
    { environment: { MODE: 'override', UNKNOWN: 'x' } },
  )
  onTestFinished(app.end)
  const { env } = await ask(app)
  expect(env).toMatchObject({
    QUEUE: `${app.cloud.endpoints.aws}/000000000000/App-Jobs`,
    MODE: 'override',
    AWS_REGION: 'us-east-1',
    AWS_ENDPOINT_URL: app.cloud.endpoints.aws,
    AWS_ENDPOINT_URL_DYNAMODB: app.cloud.endpoints.dynamodb,
    AWS_ENDPOINT_URL_KMS: app.cloud.endpoints.kms,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: app.cloud.endpoints.kms,
    AWS_LAMBDA_FUNCTION_NAME: 'App-Work',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '128',
  })
  for (const name of ['UNKNOWN', 'ROLE', 'PATH']) expect(env).not.toHaveProperty(name)
})

test('the context tells the function who it is and how long it may run', async () => {
  const { context, remaining } = await ask(await run({ timeoutSeconds: 9 }))
  expect(context).toMatchObject({ functionName: 'App-Work84857CE8', memoryLimitInMB: '128' })
  expect(context.invokedFunctionArn).toBe('arn:aws:lambda:us-east-1:000000000000:function:App-Work84857CE8')
  expect(remaining).toBeGreaterThan(5_000)
  expect(remaining).toBeLessThanOrEqual(9_000)
})

test('what a function writes is logged with its name', async () => {
  const app = await run()
  await ask(app, { do: 'log' })
  await vi.waitFor(() => {
    expect(app.lines).toContainEqual({ function: 'Work', stream: 'stdout', message: 'plain' })
    expect(app.lines).toContainEqual({ function: 'Work', stream: 'stdout', record: { level: 'INFO', n: 1 } })
    expect(app.lines).toContainEqual({ function: 'Work', stream: 'stderr', message: 'bad' })
  })
})

test('a bundle that cannot be loaded rejects every call with the reason', async () => {
  const app = await run({ code: `throw new Error('broken at boot')` })
  expect((await failureOf(app, {})).errorMessage).toBe('broken at boot')
  expect((await failureOf(app, {})).errorMessage).toBe('broken at boot')
})

test('an id that names no function is answered with those that exist', async () => {
  const app = await run()
  await expect(app.cloud.invoke('Wrok', {})).rejects.toThrow(
    'No single function is called "Wrok"; there are Work.',
  )
})

test('close() ends after its grace though a function hangs', async () => {
  const app = await run({ timeoutSeconds: 60 }, { closingGraceMs: 300 })
  await ask(app)
  const failure = failureOf(app, { do: 'spin' })
  const startedMs = Date.now()
  await app.cloud.close()
  expect(Date.now() - startedMs).toBeLessThan(1_500)
  expect((await failure).errorType).toBe('Runtime.ExitError')
})

test('close() lets a running invocation end', async () => {
  const app = await run()
  await ask(app)
  const answer = ask(app, { do: 'wait' })
  await app.cloud.close()
  expect((await answer).running).toBe(1)
})
