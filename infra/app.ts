/** The CDK app that cdk.json names. It needs no account and no network. */

import { App } from 'aws-cdk-lib'
import cdk from '../cdk.json' with { type: 'json' }
import { ConfigurationError } from './configuration.ts'
import { makeStacks } from './stacks.ts'

// The context is read here, so that the template is the same whoever runs this file; the CLI's `-c` still goes first.
const app = new App({ analyticsReporting: false, context: cdk.context })
try {
  makeStacks(app, app.node.tryGetContext('postroom'))
} catch (error) {
  if (!(error instanceof ConfigurationError)) throw error
  // It says all that whoever wrote the configuration needs; a stack trace would hide it.
  console.error(error.message)
  process.exit(1)
}
app.synth()
