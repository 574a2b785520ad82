/** Reads a command line by the table of commands, runs what it names, and says what came of it. */

import { parseArgs } from 'node:util'
import { accessOf, defaultUrl, type Environment } from './access.ts'
import { ApiError, openApi } from './api.ts'
import {
  type Command,
  commonOptions,
  type ExitCode,
  exitCodes,
  type Option,
  type ReadWords,
  UsageError,
} from './command.ts'
import { commands } from './commands.ts'
import { commandHelp, generalHelp } from './help.ts'
import { openTerminal, printable, type Streams } from './terminal.ts'

export async function runCommandLine(
  words: string[],
  {
    streams,
    environment,
    signal,
    now,
  }: { streams: Streams; environment: Environment; signal: AbortSignal; now(): number },
): Promise<ExitCode> {
  let command: Command | undefined
  try {
    // Known before its options are read, so that the help shown with a wrong one is its own.
    command = findCommand(words)
    const given = parseWords(words)
    command = findCommand(given.positionals)
    const terminal = openTerminal(streams, { json: given.values.json === true })
    const isHelp = given.values.help === true || given.positionals[0] === 'help'
    if (isHelp) {
      const about = command?.name === 'help' ? findCommand(given.positionals.slice(1)) : command
      terminal.line(about && about.name !== 'help' ? commandHelp(about) : generalHelp(commands))
      return exitCodes.done
    }
    if (!command) {
      throw new UsageError(unknownCommand(given.positionals[0]))
    }
    const call = readCall(command, given)
    const url = baseUrl(environment.POSTROOM_URL || defaultUrl)
    const api = openApi({ url, access: accessOf(url, environment, { aws: given.values.aws === true }) })
    return await command.run({ ...call, api, terminal, signal, now })
  } catch (error) {
    if (error instanceof UsageError) {
      streams.stderr.write(
        `${printable(error.message)}\n\n${command ? commandHelp(command) : generalHelp(commands)}\n`,
      )
      return exitCodes.usage
    }
    if (error instanceof ApiError) {
      streams.stderr.write(`${printable(error.message)}\n`)
      return error.exitCode
    }
    throw error
  }
}

type Given = ReturnType<typeof parseWords>

/** An option means the same in every command that takes it, so that they may stand before the command, too. */
function parseWords(words: string[]) {
  const options: Record<string, Option> = { ...commonOptions }
  for (const command of commands) Object.assign(options, command.options)
  const known = Object.entries(options).map(([name, { type, multiple = false }]) => [
    name,
    { type, multiple },
  ])
  try {
    return parseArgs({
      args: words,
      allowPositionals: true,
      options: Object.fromEntries(known) as Record<string, { type: 'string' | 'boolean'; multiple: boolean }>,
    })
  } catch (error) {
    if (!(error instanceof Error)) throw error
    // Of an unknown option Node goes on to explain how it might be meant as a word: no command takes such a one.
    const { code } = error as NodeJS.ErrnoException
    throw new UsageError(
      code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION' ? `${error.message.split('. ')[0]}.` : error.message,
    )
  }
}

/** The longest name that the words begin with. */
function findCommand(positionals: string[]): Command | undefined {
  const named = (count: number) =>
    commands.find(
      ({ name }) => name.split(' ').length === count && name === positionals.slice(0, count).join(' '),
    )
  return named(2) ?? named(1)
}

function unknownCommand(first: string | undefined): string {
  if (first === undefined) return 'Which command?'
  const jobs = commands.map(({ name }) => name).filter(name => name.startsWith(`${first} `))
  return jobs.length > 0 ? `Which of them: ${jobs.join(', ')}?` : `There is no command ${first}.`
}

function readCall(command: Command, { positionals, values }: Given): ReadWords {
  const rest = positionals.slice(command.name.split(' ').length)
  if (rest.length > command.words.length)
    throw new UsageError(`${command.name} takes no "${rest[command.words.length]}".`)
  const words: ReadWords['words'] = {}
  for (const [index, word] of command.words.entries()) {
    const isOptional = word.startsWith('[')
    if (!isOptional && !rest[index]) throw new UsageError(`${command.name} needs ${word}.`)
    words[isOptional ? word.slice(1, -1) : word] = rest[index]
  }

  const own = Object.keys(command.options)
  const foreign = Object.keys(values).find(name => !own.includes(name) && !(name in commonOptions))
  if (foreign !== undefined) throw new UsageError(`${command.name} takes no --${foreign}.`)
  const options: ReadWords['options'] = {}
  for (const [name, { type, multiple, required, value = 'VALUE' }] of Object.entries(command.options)) {
    const given = values[name]
    if (required && given === undefined) throw new UsageError(`${command.name} needs --${name} ${value}.`)
    options[name] =
      (given as ReadWords['options'][string]) ?? (type === 'boolean' ? false : multiple ? [] : undefined)
  }
  return { words, options }
}

function baseUrl(given: string): string {
  const isHttp = URL.canParse(given) && ['http:', 'https:'].includes(new URL(given).protocol)
  if (isHttp) return given.replace(/\/+$/, '')
  throw new UsageError(`POSTROOM_URL must be an http or https URL, such as ${defaultUrl}; it is "${given}".`)
}
