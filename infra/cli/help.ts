/** The help, printed from the table of commands. */

import { defaultUrl } from './access.ts'
import { type Command, commonOptions, exitCodes, exitMeanings, type Options } from './command.ts'

export function generalHelp(commands: Command[]): string {
  const lines = commands.map(command => [callOf(command), command.says] as const)
  return `Usage: npm run postroom -- COMMAND [options]

${columns(lines)}

Options of every command; "help COMMAND" tells its own:
${columns(optionLines(commonOptions))}

Environment:
${columns([
  ['POSTROOM_URL', `where Postroom is (${defaultUrl})`],
  ['POSTROOM_API_KEY', 'the bearer key; without it, on this machine, the one in the data folder'],
  ['POSTROOM_DATA', 'the data folder (.postroom)'],
  ['POSTROOM_TOKEN', 'a JWT, where the deployment takes tokens'],
  ['POSTROOM_AUTH', 'aws: sign with AWS credentials, as --aws; at *.amazonaws.com without a token always'],
])}

Exit codes:
${columns(Object.entries(exitCodes).map(([name, code]) => [String(code), exitMeanings[name as keyof typeof exitCodes]]))}`
}

export function commandHelp(command: Command): string {
  const { says, more, options } = command
  return `Usage: npm run postroom -- ${callOf(command)} [options]

${says[0]?.toUpperCase()}${says.slice(1)}.${more ? `\n\n${more}` : ''}

${columns(optionLines({ ...options, ...commonOptions }))}`
}

function callOf({ name, words }: Command): string {
  return [name, ...words].join(' ')
}

function optionLines(options: Options): (readonly [string, string])[] {
  return Object.entries(options).map(([name, { type, value = 'VALUE', says, required, multiple }]) => {
    const remark = [required && 'must be given', multiple && 'several times if need be'].filter(Boolean)
    return [
      `--${name}${type === 'string' ? ` ${value}` : ''}`,
      remark.length > 0 ? `${says} (${remark.join(', ')})` : says,
    ]
  })
}

function columns(lines: (readonly [string, string])[]): string {
  const width = Math.max(...lines.map(([left]) => left.length))
  return lines.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n')
}
