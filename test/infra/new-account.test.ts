/** An AWS account of today begins with 10 concurrent executions: the stack deploys there, and the shares that deploy.md names fit. */

import { readFile } from 'node:fs/promises'
import { Template } from 'aws-cdk-lib/assertions'
import { expect, test } from 'vitest'
import { readConfiguration } from '../../infra/configuration.ts'
import { buildApp } from './synthesized.ts'

const ofNewAccount = 10
/** `schedule`, and one each for `send`, `api` and `connect`; `notify` takes what is free. */
const keptFree = 4

interface Mapping {
  Properties: { ScalingConfig?: { MaximumConcurrency: number } }
}

test('nothing reserves concurrency: AWS refuses that of an account that has no more than the least', () => {
  const { system, data } = buildApp()
  const functions = [system, data].flatMap(stack =>
    Object.values(Template.fromStack(stack).findResources('AWS::Lambda::Function')),
  )
  expect(functions).toHaveLength(6)
  expect(functions.filter(({ Properties }) => 'ReservedConcurrentExecutions' in Properties)).toEqual([])
})

test('the shares that deploy.md names for a new account are taken, and leave room for what is not a poll', async () => {
  const deploy = await readFile(new URL('../../infra/deploy.md', import.meta.url), 'utf8')
  const [, shares = ''] = /Of 10 they do not: take `([^`]+)`/.exec(deploy) ?? []
  const configuration = { pollConcurrency: JSON.parse(shares) }
  expect(readConfiguration(configuration).pollConcurrency).toEqual(configuration.pollConcurrency)
  const { system } = buildApp({ configuration })
  const mappings: Mapping[] = Object.values(
    Template.fromStack(system).findResources('AWS::Lambda::EventSourceMapping'),
  ) as unknown as Mapping[]
  const polls = mappings.map(({ Properties }) => Properties.ScalingConfig?.MaximumConcurrency ?? 0)
  const sum = polls.reduce((all, one) => all + one, 0)
  expect(sum).toBeGreaterThan(0)
  expect(sum).toBeLessThanOrEqual(ofNewAccount - keptFree)
})

test('without configuration polls may take 60 of the 1,000 that an account has, and not more', () => {
  const { pollConcurrency } = readConfiguration({})
  expect(Object.values(pollConcurrency).reduce((all, one) => all + one, 0)).toBe(60)
})
