/** Findings of cdk-nag's AwsSolutions and Serverless packs that stand, each with the reason; infra/findings.md shows them. */

export interface Acknowledgement {
  /** As cdk-nag names the finding; `*` stands for names that CDK generates. */
  rule: string
  /** Path of the construct, without the name of the stack; `*` likewise. */
  on: string
  reason: string
}

export const acknowledgements: Acknowledgement[] = [
  {
    rule: 'AwsSolutions-S1',
    on: 'Mail/Resource',
    reason:
      'Server access logs name every key, and keys name accounts and messages, in a second bucket that needs the same care. Who may read mail is told by the functions’ policies; CloudTrail data events can be switched on where an audit asks for them.',
  },
  {
    rule: 'AwsSolutions-SMG4',
    on: 'OAuthApps/Resource',
    reason:
      'Client secrets are made at Microsoft and Google by a person; Secrets Manager cannot rotate them. Two secrets of an app are valid at the same time there, so that one is replaced without a gap.',
  },
  {
    rule: 'AwsSolutions-APIG4',
    on: 'Http/*--connect--{ticket}/Resource',
    reason:
      'People without an account here follow this link. The ticket in it is a one-time secret, bound to their browser by the first answer.',
  },
  {
    rule: 'AwsSolutions-APIG4',
    on: 'Http/GET--oauth--{provider}--callback/Resource',
    reason:
      'The provider sends the browser here. The state parameter is a one-time secret, and the browser must hold the cookie of the connect page.',
  },
  ...['GET--', 'GET--{file}'].map(route => ({
    rule: 'AwsSolutions-APIG4',
    on: `Http/${route}/Resource`,
    reason:
      'The console, where one is configured: its page and scripts are the same for everybody and hold no secret. What they show they ask of the API, with the token of whoever signed in.',
  })),
  {
    rule: 'AwsSolutions-IAM5[Resource::*]',
    on: '*Role/DefaultPolicy/Resource',
    reason:
      'Only where `operations.tracing` is on: X-Ray’s two actions for writing traces know no resource. A test holds every other statement to named resources.',
  },
  {
    rule: 'Serverless-SNSRedrivePolicy',
    on: 'Alarms/*/Resource',
    reason:
      'The address that is told of alarms. SNS itself retries mail, a dead letter would tell nobody, and the alarm’s state stays in CloudWatch.',
  },
  {
    rule: 'AwsSolutions-IAM5[Resource::*/accounts/*/outbound/*]',
    on: '*Role/DefaultPolicy/Resource',
    reason:
      'Objects are named by account and message, which do not exist when this is deployed. The pattern names the one direction that the function works on.',
  },
  {
    rule: 'AwsSolutions-IAM5[Resource::*/accounts/*/inbound/*]',
    on: '*Role/DefaultPolicy/Resource',
    reason: 'As for outbound mail.',
  },
  {
    rule: 'AwsSolutions-IAM5[Resource::*/uploads/*]',
    on: '*Role/DefaultPolicy/Resource',
    reason: 'As for outbound mail: what apps upload is named when it is uploaded, and goes after a day.',
  },
  {
    rule: 'Serverless-LambdaTracing',
    on: '*/Resource',
    reason:
      'X-Ray would cost nearly as much as the functions themselves (infra/cost.md) and show little: logs and metrics say what was slow, and a tracer in the bundles costs a quarter of the cold start. `operations.tracing` turns it on.',
  },
  {
    rule: 'Serverless-SQSRedrivePolicy',
    on: '*DeadLetters/Resource',
    reason: 'It is itself the queue for dead letters. An alarm tells of every message in it.',
  },
  {
    rule: 'Serverless-LambdaDLQ',
    on: '*/Resource',
    reason:
      'A dead-letter queue of a function takes asynchronous invocations only. These functions are invoked by HTTP, which tells the caller; by SQS, whose queue has dead letters; and by the schedule, whose next minute does what the last one did not.',
  },
  {
    rule: 'Serverless-LambdaEventSourceMappingDestination',
    on: '*/Resource',
    reason:
      'Failure destinations are for streams; for SQS the dead-letter queue of the source is the destination: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html',
  },
]

/** A page for people. */
export function renderFindings(): string {
  const rows = acknowledgements.map(({ rule, on, reason }) => `| \`${rule}\` | \`${on}\` | ${reason} |`)
  return `# What cdk-nag finds, and why it stands

Two rule packs of [cdk-nag](https://github.com/cdklabs/cdk-nag), AwsSolutions and Serverless, are run over the
synthesized app by \`test/infra/findings.test.ts\`. A finding that is not listed here fails the test, and so does an
entry that is found no more. The list is kept in \`findings.ts\`; this page is made from it.

| rule | where | why it stands |
|---|---|---|
${rows.join('\n')}
`
}
