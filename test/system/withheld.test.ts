/**
 * IAM, taken away one statement at a time from a running system: the step that needs the statement is refused exactly
 * that. Nothing happens by itself meanwhile, for the schedule stands still; what follows from a step is waited for.
 */

import { describe, expect, test } from 'vitest'
import { placesOf } from '../support/behind-the-api.ts'
import { quiet } from '../support/quiet.ts'
import { useRunningSystem } from '../support/running-system.ts'
import { useReceivers } from '../support/webhook-receiver.ts'
import { withoutSchedule } from '../support/without-schedule.ts'
import type { Stage } from './stage.ts'
import { steps } from './statement-steps.ts'
import { isForLambdaItself, refusedMeanwhile, withheld } from './withheld-statement.ts'

const running = useRunningSystem({ changeAssembly: withoutSchedule })
const receivers = useReceivers()

const folderOf = (functionName: string) => functionName.replace('Webhooks', '').toLowerCase()

test('every statement has the step that needs it', () => {
  const stated = running.system.cloud.policies.flatMap(({ name, statements }) =>
    statements
      .filter(statement => !isForLambdaItself(statement))
      .map(({ sid }) => `${folderOf(name)} ${sid}`),
  )
  expect(steps.flatMap(({ needs }) => needs).sort()).toEqual(stated.sort())
})

describe.each(steps.map(step => [step.name, step] as const))('%s', (_, { needs, prepare }) => {
  test('with every statement nothing is refused', async () => {
    const step = await prepare(newStage())
    await quiet(running.system)
    expect(await refusedMeanwhile(running, step)).toEqual([])
  })

  test.each(needs)('without the statement %s exactly what it allows is refused', async need => {
    const [folder, sid] = need.split(' ')
    const policy = running.system.cloud.policies.find(({ name }) => folderOf(name) === folder)
    const statement = policy?.statements.find(one => one.sid === sid)
    if (!policy || !statement) throw new Error(`There is no statement ${need}`)
    const step = await prepare(newStage())
    await quiet(running.system)
    const { refused, astray } = await withheld(running, { policy, statement, step })
    expect(statement.actions).toEqual(expect.arrayContaining(refused))
    expect({ isRefused: refused.length > 0, astray }).toEqual({ isRefused: true, astray: [] })
  })
})

let stages = 0

function newStage(): Stage {
  stages += 1
  const accountId = `account-${stages}`
  return {
    running,
    app: running.app,
    accountId,
    places: placesOf(running),
    async mailbox() {
      const channel = await running.connect('ada', { accountId })
      await quiet(running.system)
      return channel
    },
    receiver: () => receivers.open(),
    quiet: () => quiet(running.system),
  }
}
