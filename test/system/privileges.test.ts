/** What the template grants, held against what the functions ask for in a run that makes them ask for everything. */

import { beforeAll, expect, test } from 'vitest'
import type { Use } from '../../infra/local/gate.ts'
import { allowing, type FunctionPolicy } from '../../infra/local/policies.ts'
import { useRunningSystem } from '../support/running-system.ts'
import { makeEveryCall } from './every-call.ts'
import { isForLambdaItself } from './withheld-statement.ts'

const running = useRunningSystem()
let policies: FunctionPolicy[] = []

beforeAll(async () => {
  await makeEveryCall(running)
  policies = running.system.cloud.policies
}, 120_000)

const inWords = (use: Use) => `${use.function} ${use.access.action} ${use.access.resource}`

test('nothing is granted that no function asked for', () => {
  const granted = policies.flatMap(({ name, statements }) =>
    statements
      .filter(statement => !isForLambdaItself(statement))
      .flatMap(({ sid, actions, resources }) =>
        actions.flatMap(action => resources.map(resource => `${name} ${sid} ${action} ${resource}`)),
      ),
  )
  const used = running.system.cloud
    .uses()
    .map(use => `${use.function} ${use.allowedBy?.sid} ${use.access.action} ${use.resource}`)
  expect(granted.filter(grant => !used.includes(grant))).toEqual([])
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
