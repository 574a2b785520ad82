/** Our own two stacks: what must survive, and what may be removed and made anew. */

import { type App, Stack } from 'aws-cdk-lib'
import type { PostroomConfiguration } from './configuration.ts'
import { Postroom } from './postroom.ts'
import { PostroomData } from './postroom-data.ts'

/** CDK leaves this id out of the names it makes, so that they are as short as if the stack were the construct. */
const unnamed = 'Default'

export function makeStacks(app: App, configuration: PostroomConfiguration): { data: Stack; system: Stack } {
  const data = new Stack(app, 'PostroomData', {
    description: 'Postroom: tables, mail and keys. Survives the removal of the system that uses it.',
    terminationProtection: true,
  })
  const system = new Stack(app, 'Postroom', {
    description: 'Postroom: connect mailboxes, send as them, receive their mail as events',
  })
  new Postroom(system, unnamed, { data: new PostroomData(data, unnamed), configuration })
  return { data, system }
}
