/** Renders the table of faults, with what is taken for each of them, as a page for people. */

import type { AnswerRow } from '../../functions/channel/answer-row.ts'
import { type Actor, type FaultCode, faults } from '../../functions/channel/faults.ts'
import { imapAnswers } from '../../functions/channel/imap-answers.ts'
import { smtpAnswers } from '../../functions/channel/smtp-answers.ts'
import { tokenAnswers } from '../../functions/channel/token-answers.ts'

const sections: [Actor, string, string][] = [
  ['owner', 'The owner of the mailbox', 'Somebody who can sign in to the mailbox has to do something.'],
  ['tenant_admin', 'An administrator of the owner’s organization', 'A setting or policy is in the way.'],
  ['operator', 'Whoever runs Postroom', 'The installation or its OAuth app has to be changed.'],
  ['app', 'The app that calls the API', 'The request or the message itself has to be another one.'],
  ['nobody', 'Nobody', 'It passes by itself; nobody is ever asked for anything.'],
]

const does: Record<(typeof faults)[FaultCode]['action'], string> = {
  refuse: 'refuses the request',
  retry: 'tries again by itself',
  retry_once: 'tries once more later, then gives up',
  wait: 'waits as long as the provider wants',
  heal: 'tries a fresh token and other logins',
  reconnect: 'keeps mail waiting and asks for a reconnect',
  park: 'keeps mail waiting until it is mended',
  reject: 'ends this one message',
  reconcile: 'looks up what really happened',
}

export function renderFaultCatalogue(): string {
  const parts = sections.map(([actor, title, text]) => {
    const rows = Object.entries(faults).filter(([, row]) => row.actor === actor)
    const lines = rows.map(([code]) => line(code as FaultCode))
    return [`## ${title}`, text, [head, ...lines].join('\n')].join('\n\n')
  })
  return `${[intro, ...parts].join('\n\n')}\n`
}

const intro = `# What can go wrong

Every failure Postroom knows, by who has to act. The code is stable: it stands in \`fault.code\` of channels,
messages and events, and in the problem documents of the API. This page is made from
[faults.ts](faults.ts) and from the tables of what servers answer:
[smtp-answers.ts](smtp-answers.ts), [imap-answers.ts](imap-answers.ts) and [token-answers.ts](token-answers.ts).
Do not edit it; run \`npm test -- test/channel/fault-catalogue.test.ts -u\` after a change of theirs.

An answer that is in no table is taken for a passing trouble if it is a temporary one (SMTP 4yz, IMAP NO or BAD),
for a refused sign-in (\`smtp_auth_refused\`, \`imap_auth_refused\`) at the sign-in, and for \`smtp_refusal_unclear\` where a
message is refused for good.`

const head = '| Code | What it means | Postroom | Taken for it |\n| --- | --- | --- | --- |'

function line(code: FaultCode): string {
  const { summary, action, proof, setting } = faults[code]
  const minutes = proof && `${proof.failures} times over ${proof.overMs / 60_000} minutes`
  const cells = [
    `\`${code}\``,
    setting ? `${summary} Setting: ${setting}.` : summary,
    proof ? `${does[action]}, once seen ${minutes}` : does[action],
    evidenceOf(code).join('; '),
  ]
  return `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

function evidenceOf(code: FaultCode): string[] {
  const tables: [string, readonly AnswerRow[]][] = [
    ['SMTP', smtpAnswers],
    ['IMAP', imapAnswers],
    ['Token', tokenAnswers],
  ]
  return tables.flatMap(([protocol, table]) =>
    table.filter(({ fault }) => fault === code).map(row => `${protocol} ${words(row)}`),
  )
}

function words({ at, status, code, needle }: AnswerRow): string {
  return [
    // Numbers of Entra's stand beside several errors, and say more than they do.
    code === undefined && status && `\`${status.join('`, `')}\``,
    code && `\`${code.map(word => (/^\d{5}/.test(word) ? `AADSTS${word}` : word)).join('`, `')}\``,
    needle && `“${needle}”`,
    at && `at ${at.join(', ')}`,
  ]
    .filter(Boolean)
    .join(' ')
}
