/** The CDK app built within the test. */

import { App } from 'aws-cdk-lib'
import cdk from '../../cdk.json' with { type: 'json' }
import type { ConfigurationInput } from '../../infra/configuration-schema.ts'
import { makeStacks } from '../../infra/stacks.ts'

export function buildApp({
  outdir,
  configuration = {},
  withCode = false,
}: {
  outdir?: string
  configuration?: ConfigurationInput
  /** Bundles the functions too, which takes seconds. */
  withCode?: boolean
} = {}) {
  const app = new App({
    outdir,
    analyticsReporting: false,
    context: { ...cdk.context, ...(!withCode && { 'aws:cdk:bundling-stacks': [] }) },
  })
  return { app, ...makeStacks(app, configuration) }
}
