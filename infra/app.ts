/** The CDK app that cdk.json names. It needs no account and no network. */

import { App } from 'aws-cdk-lib'
import { readConfiguration } from './configuration.ts'
import { DataStack } from './data-stack.ts'
import { PostroomStack } from './postroom-stack.ts'

const app = new App({ analyticsReporting: false })
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
