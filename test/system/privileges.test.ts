/** What the template grants, held against what the functions ask for in a run that makes them ask for everything. */

import { beforeAll, expect, test } from 'vitest'
import type { Use } from '../../infra/local/gate.ts'
import { allowing, type FunctionPolicy } from '../../infra/local/policies.ts'
import { useRunningSystem } from '../support/running-system.ts'
import { type Asked, isForLambdaItself, runWithout, whatStepsAskFor } from './withheld-statement.ts'

// Tokens this short are refreshed at nearly every turn, and long enough for a slow sign-in.
const running = useRunningSystem({ accessTokenSeconds: 4 })
let policies: FunctionPolicy[] = []
let asked: Asked

beforeAll(async () => {
  asked = await whatStepsAskFor(running)
  policies = running.system.cloud.policies
}, 120_000)

const inWords = (use: Use) => `${use.function} ${use.access.action} ${use.access.resource}`

test('nothing is granted that no function asked for', async () => {
  const granted = policies.flatMap(({ name, statements }) =>
    statements
      .filter(statement => !isForLambdaItself(statement))
      .flatMap(({ sid, actions, resources }) =>
        actions.flatMap(action => resources.map(resource => `${name} ${sid} ${action} ${resource}`)),
      ),
  )
  const unused = () => {
    const used = running.system.cloud
      .uses()
      .map(use => `${use.function} ${use.allowedBy?.sid} ${use.access.action} ${use.resource}`)
    return granted.filter(grant => !used.includes(grant))
  }
  // The last polls may still be under way.
  await expect.poll(unused, { timeout: 15_000 }).toEqual([])
})

test('nothing that a function asked for was refused', () => {
  expect(
    running.system.cloud
      .uses()
      .filter(({ allowedBy }) => !allowedBy)
      .map(inWords),
  ).toEqual([])
})

test('without any one statement, exactly what it is for is refused', () => {
  const uses = running.system.cloud.uses()
  for (const { name, statements } of policies) {
    const allowed = uses.filter(use => use.function === name && use.allowedBy)
    for (const statement of statements.filter(each => !isForLambdaItself(each))) {
      const others = statements.filter(other => other !== statement)
      const refused = allowed.filter(({ access }) => !allowing(others, access))
      const itsOwn = allowed.filter(({ allowedBy }) => allowedBy === statement)
      expect.soft(refused.map(inWords), `${name} without ${statement.sid}`).toEqual(itsOwn.map(inWords))
      expect.soft(refused.length, `${name} without ${statement.sid}`).toBeGreaterThan(0)
    }
  }
})

// One of each function: the whole system runs for seconds each time. All others are judged by the calls that were recorded.
test.each([
  ['Connect', 'ReadOAuthApps'],
  ['Api', 'WriteMail'],
  ['Send', 'Secrets'],
  ['Fetch', 'WriteMail'],
  ['Schedule', 'RingForSend'],
  ['NotifyWebhooks', 'SignWebhooks'],
])('run without its statement, %s is refused what %s is for, and nothing before it', async (name, sid) => {
  const policy = policies.find(one => one.name === name)
  const statement = policy?.statements.find(one => one.sid === sid)
  if (!policy || !statement) throw new Error(`${name} has no statement ${sid}`)
  const { refused, astray } = await runWithout(running, { policy, statement, asked })
  expect(statement.actions).toEqual(expect.arrayContaining(refused))
  expect({ isRefused: refused.length > 0, astray }).toEqual({ isRefused: true, astray: [] })
})
