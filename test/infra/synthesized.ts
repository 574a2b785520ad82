/** The CDK app built within the test: templates only, no function is bundled. */

import { App } from 'aws-cdk-lib'
import cdk from '../../cdk.json' with { type: 'json' }
import { readConfiguration } from '../../infra/configuration.ts'
import { DataStack } from '../../infra/data-stack.ts'
import { PostroomStack } from '../../infra/postroom-stack.ts'

export function buildApp({ outdir, configuration = {} }: { outdir?: string; configuration?: object } = {}) {
  const app = new App({
    outdir,
    analyticsReporting: false,
    context: { ...cdk.context, 'aws:cdk:bundling-stacks': [] },
  })
  const data = new DataStack(app, 'PostroomData', { terminationProtection: true })
  const system = new PostroomStack(app, 'Postroom', {
    data,
    configuration: readConfiguration(configuration),
  })
  return { app, data, system }
}
