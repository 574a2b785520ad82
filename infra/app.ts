/** The CDK app that cdk.json names. It needs no account and no network. */

import { App } from 'aws-cdk-lib'
import cdk from '../cdk.json' with { type: 'json' }
import { readConfiguration } from './configuration.ts'
import { DataStack } from './data-stack.ts'
import { PostroomStack } from './postroom-stack.ts'

// The context is read here, so that the template is the same whoever runs this file; the CLI's `-c` still goes first.
const app = new App({ analyticsReporting: false, context: cdk.context })
const configuration = readConfiguration(app.node.tryGetContext('postroom'))

const data = new DataStack(app, 'PostroomData', {
  description: 'Postroom: tables, mail and keys. Survives the removal of the system that uses it.',
  terminationProtection: true,
})
new PostroomStack(app, 'Postroom', {
  description: 'Postroom: connect mailboxes, send as them, receive their mail as events',
  data,
  configuration,
})
app.synth()
