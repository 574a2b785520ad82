/** What each function may do on AWS, as a page for people: infra/privileges.md is made from privileges.ts by this. */

import { type FunctionFolder, privileges, type Things } from './privileges.ts'

/** Everything by its name in the stack instead of its ARN. */
const named = {
  main: { tableArn: 'Main' },
  secrets: { tableArn: 'Secrets' },
  tokenKey: { keyArn: 'TokenKey' },
  webhookKey: { keyArn: 'WebhookKey' },
  oauthApps: { secretArn: 'OAuthApps' },
  mail: { bucketArn: 'Mail', arnForObjects: (pattern: string) => `Mail/${pattern}` },
  events: { topicArn: 'Events' },
  outbound: { queueArn: 'Outbound' },
  outboundDeadLetters: { queueArn: 'OutboundDeadLetters' },
  polls: [{ queueArn: 'Poll' }, { queueArn: 'Poll of each provider' }],
  notifications: { queueArn: 'Notify' },
  clientKeyArns: ['the keys of apps'],
  federatedAudiences: ['the audiences of apps'],
} as unknown as Things

const order: FunctionFolder[] = ['connect', 'api', 'send', 'schedule', 'fetch', 'notify']

/** @param needOf the step of a test that is refused something without a statement, such as `send` and `Main` */
export function renderPrivileges(
  needOf: (folder: FunctionFolder, sid: string) => string | undefined,
): string {
  const may = privileges(named)
  const rows = order.flatMap(folder =>
    may[folder].map(statement => {
      const { Sid, Action, Resource, Condition } = statement.toStatementJson()
      const actions = [Action].flat().map(action => `\`${action}\``)
      const resources = [Resource].flat().join(', ')
      const condition = Condition ? `\`${JSON.stringify(Condition)}\`` : ''
      const need = needOf(folder, Sid) ?? ''
      return `| ${folder} | ${Sid} | ${actions.join(' ')} | ${resources} | ${condition} | ${need} |`
    }),
  )
  return `# What each function may do on AWS

Made from \`privileges.ts\`, which says more. Besides, each function writes its own log group, and traces to X-Ray, which knows
no resources. Nothing else is granted: no wildcard action, no scan, no deletion of mail. Locally the runner holds every call
against the synthesized policies. \`test/system/privileges.test.ts\` fails for a statement without a call and for a call
without a statement. \`test/system/withheld.test.ts\` runs the whole system without each statement in turn and does what the
last column names, where exactly what the statement allows is refused. Not tried that way are logs and traces, which Lambda
itself writes, and what an OAuth app without a secret signs in with, since the sandbox's apps have one.

| function | statement | may | on | if | where its lack shows |
|---|---|---|---|---|---|
${rows.join('\n')}
`
}
