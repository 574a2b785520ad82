/** cdk-nag over the whole app: what it finds is acknowledged with a reason, or it fails. */

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Validations } from 'aws-cdk-lib'
import { AwsSolutionsChecks, ServerlessChecks } from 'cdk-nag'
import { expect, test } from 'vitest'
import type { ConfigurationInput } from '../../infra/configuration-schema.ts'
import { acknowledgements, renderFindings } from '../../infra/findings.ts'
import { isLike } from '../../infra/local/policies.ts'
import { buildApp } from './synthesized.ts'

interface Finding {
  rule: string
  /** Path of the construct without the stack. */
  on: string
}

/** Without the stack, and without the id that makes a construct as good as its stack (infra/stacks.ts). */
function pathInSystem(constructPath: string): string {
  const [, ...steps] = constructPath.split('/')
  return steps.filter(step => step !== 'Default').join('/')
}

interface Report {
  pluginReports: {
    violations: { ruleName: string; violatingConstructs: { constructPath: string }[] }[]
  }[]
}

async function findings(configuration: ConfigurationInput): Promise<Finding[]> {
  const outdir = await mkdtemp(join(tmpdir(), 'postroom-nag-'))
  try {
    const { app } = buildApp({ outdir, configuration })
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app), new ServerlessChecks(app))
    // Findings make it throw, once the report is written.
    expect(() => app.synth()).toThrow('Acknowledge with')
    const report: Report = JSON.parse(await readFile(join(outdir, 'validation-report.json'), 'utf8'))
    return report.pluginReports
      .flatMap(({ violations }) => violations)
      .flatMap(({ ruleName, violatingConstructs }) =>
        violatingConstructs.map(({ constructPath }) => ({
          rule: ruleName,
          on: pathInSystem(constructPath),
        })),
      )
  } finally {
    await rm(outdir, { recursive: true, force: true })
  }
}

/** With all that a deployment may have besides: a domain, tokens instead of IAM, a console, traces, a budget. */
const everything: ConfigurationInput = {
  domain: {
    name: 'mail.example.com',
    certificateArn: 'arn:aws:acm:eu-west-1:111122223333:certificate/1',
    hostedZone: { id: 'Z0123456789', name: 'example.com' },
  },
  authentication: {
    type: 'jwt',
    issuer: 'https://id.example.com',
    audience: ['postroom'],
    accountClaim: 'account',
  },
  console: {
    clientId: 'console',
    authorizationEndpoint: 'https://id.example.com/authorize',
    tokenEndpoint: 'https://id.example.com/token',
  },
  operations: { email: 'ops@example.com', monthlyBudgetUsd: 50, tracing: true },
}

const byConfiguration = { 'the defaults': await findings({}), everything: await findings(everything) }
const found = Object.values(byConfiguration).flat()
const covers = (entry: { rule: string; on: string }, finding: Finding) =>
  isLike(finding.rule, entry.rule) && isLike(finding.on, entry.on)

test.each(Object.entries(byConfiguration))('with %s, no finding is unacknowledged', (_, ofIt) => {
  expect(ofIt.length).toBeGreaterThan(10)
  expect(ofIt.filter(finding => !acknowledgements.some(entry => covers(entry, finding)))).toEqual([])
})

test('a statement about everything is found for tracing alone', () => {
  const anything = byConfiguration['the defaults'].filter(({ rule }) => rule.endsWith('[Resource::*]'))
  expect(anything).toEqual([])
})

test('no acknowledgement has outlived its finding', () => {
  expect(acknowledgements.filter(entry => !found.some(finding => covers(entry, finding)))).toEqual([])
})

test('the page tells what the list says', async () => {
  await expect(renderFindings()).toMatchFileSnapshot('../../infra/findings.md')
})
