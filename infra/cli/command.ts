/**
 * What a command of the CLI is: its words and options as data, from which its help is printed and its call is read.
 * A new command is a file here with one `command({…})`, and its name in the table in `commands.ts`.
 */

import type { Api } from './api.ts'
import type { Terminal } from './terminal.ts'

/** What the shell gets to know; the help prints this list. */
export const exitCodes = {
  done: 0,
  notWell: 1,
  usage: 2,
  notFound: 3,
  refused: 4,
  unreachable: 5,
  notAllowed: 6,
} as const
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

export const exitMeanings: Record<keyof typeof exitCodes, string> = {
  done: 'done',
  notWell: 'done, and something that was looked at is not well',
  usage: 'the words of the call are wrong; nothing was done',
  notFound: 'there is no such channel, message, event or webhook',
  refused: 'the API refused it, and says why',
  unreachable: 'Postroom, or what it depends on, does not answer; the same call may work later',
  notAllowed: 'no key, token or AWS credential, or it does not allow this',
}

export interface Option {
  type: 'string' | 'boolean'
  /** Stands in the help for what is to be written: `ID`, `FILE`. */
  value?: string
  says: string
  /** May be given several times; its value is a list. */
  multiple?: boolean
  required?: boolean
}
export type Options = Record<string, Option>

/** What every command takes. */
export const commonOptions = {
  json: { type: 'boolean', says: 'one JSON document a line, for programs' },
  aws: { type: 'boolean', says: 'signs calls with AWS credentials (SigV4)' },
  help: { type: 'boolean', says: 'says how to call this command, and does nothing' },
} as const satisfies Options

/** What every command is given beside its own words and options. */
interface Surroundings {
  api: Api
  terminal: Terminal
  /** Aborted by Ctrl-C: a command that waits then ends. */
  signal: AbortSignal
  now(): number
}

/** `CHANNEL` must be given, `[CHANNEL]` may be. */
type NameOf<Word extends string> = Word extends `[${infer Name}]` ? Name : Word
type ValueOf<O extends Option> = O extends { type: 'boolean' }
  ? boolean
  : O extends { multiple: true }
    ? string[]
    : O extends { required: true }
      ? string
      : string | undefined

export interface Call<Words extends readonly string[], Own extends Options> extends Surroundings {
  words: { [Word in Words[number] as NameOf<Word>]: Word extends `[${string}]` ? string | undefined : string }
  options: { [Name in keyof Own]: ValueOf<Own[Name]> }
}

interface Description<Words extends readonly string[], Own extends Options> {
  /** One word, or two for one of several jobs on the same thing: `webhooks add`. */
  name: string
  /** What follows the name, in order. */
  words: Words
  /** One line in the list of all commands. */
  says: string
  /** Further lines in the help of this command alone. */
  more?: string
  options: Own
}

export interface Command extends Description<readonly string[], Options> {
  run(call: Surroundings & ReadWords): Promise<ExitCode>
}

/** A call as it was read, before a command's own types are known. */
export interface ReadWords {
  words: Record<string, string | undefined>
  options: Record<string, string | boolean | string[] | undefined>
}

/** Binds a description to its code, which gets words and options read and typed. */
export function command<const Words extends readonly string[], const Own extends Options>(
  description: Description<Words, Own> & { run(call: Call<Words, Own>): Promise<ExitCode> },
): Command {
  return {
    ...description,
    // What was read after this very description has these types.
    run: call => description.run(call as unknown as Call<Words, Own>),
  }
}

/** The call's words are wrong: said with the help of the command. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}
