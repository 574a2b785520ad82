/** The CDK app built within the test: templates only, no function is bundled. */

import { App } from 'aws-cdk-lib'
import cdk from '../../cdk.json' with { type: 'json' }
import type { ConfigurationInput } from '../../infra/configuration.ts'
import { makeStacks } from '../../infra/stacks.ts'

export function buildApp({
  outdir,
  configuration = {},
}: {
  outdir?: string
  configuration?: ConfigurationInput
} = {}) {
  const app = new App({
    outdir,
    analyticsReporting: false,
    context: { ...cdk.context, 'aws:cdk:bundling-stacks': [] },
  })
  return { app, ...makeStacks(app, configuration) }
}
