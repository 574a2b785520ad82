/**
 * The example as a CDK app. From the top folder:
 *
 *     npx cdk synth --app "node --experimental-strip-types infra/example/app.ts" --output cdk.out
 */

import { App, Stack } from 'aws-cdk-lib'
import { PostroomData } from '../postroom.ts'
import { HelpDesk } from './help-desk.ts'

const app = new App({ analyticsReporting: false })
const kept = new Stack(app, 'HelpDeskData', { terminationProtection: true })
new HelpDesk(app, 'HelpDesk', { mailboxes: new PostroomData(kept, 'Mailboxes') })
app.synth()
