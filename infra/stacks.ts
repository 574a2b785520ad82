/** Our own two stacks: what must survive, and what may be removed and made anew. */

import { type App, Stack } from 'aws-cdk-lib'
import { readConfiguration, regionOf } from './configuration.ts'
import type { ConfigurationInput } from './configuration-schema.ts'
import { Postroom, PostroomData } from './postroom.ts'

/** CDK leaves this id out of the names it makes, so that they are as short as if the stack were the construct. */
const unnamed = 'Default'

export function makeStacks(
  app: App,
  configuration: ConfigurationInput,
): { data: Stack; system: Stack; postroom: Postroom } {
  const region = regionOf(readConfiguration(configuration))
  const env = region ? { region } : undefined
  const data = new Stack(app, 'PostroomData', {
    description: 'Postroom: tables, mail and keys. Survives the removal of the system that uses it.',
    terminationProtection: true,
    env,
  })
  const system = new Stack(app, 'Postroom', {
    description: 'Postroom: connect mailboxes, send as them, receive their mail as events',
    env,
  })
  const postroom = new Postroom(system, unnamed, {
    data: new PostroomData(data, unnamed, { configuration }),
    configuration,
  })
  return { data, system, postroom }
}
