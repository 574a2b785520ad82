/** The function that serves the console, where one is configured. It may touch nothing: what it shows comes from the API. */

import type { Construct } from 'constructs'
import type { SignIn } from '../functions/console/page.ts'
import type { PostroomConfiguration } from './configuration.ts'
import { PostroomFunction } from './postroom-function.ts'

/** @returns undefined where none is configured */
export function makeConsole(
  scope: Construct,
  { systemName, configuration }: { systemName: string; configuration: PostroomConfiguration },
): PostroomFunction | undefined {
  const { console, authentication, retention, operations } = configuration
  if (!console || authentication.type !== 'jwt') return undefined
  const { issuer, accountClaim, operatorScope = null } = authentication
  const scopes = ['openid', ...(operatorScope ? [operatorScope] : [])]
  const signIn: SignIn = { issuer, accountClaim, operatorScope, scope: scopes.join(' '), ...console }
  return new PostroomFunction(scope, 'Console', {
    systemName,
    logDays: retention.logDays,
    tracing: operations.tracing,
    folder: 'console',
    may: [],
    environment: { consoleSignIn: JSON.stringify(signIn) },
    filesBeside: consoleFiles,
  })
}

/** Its scripts as one, with the library that signs in; the page, its styles and its icon as they are. */
function consoleFiles(inputDir: string, outputDir: string): string[] {
  const from = `${inputDir}/infra/console`
  const to = `${outputDir}/console`
  return [
    `npx --no-install esbuild "${from}/console.js" --outfile="${to}/console.js" --bundle --minify --format=esm --target=es2022 --log-level=warning`,
    `cp "${from}"/*.html "${from}"/*.css "${from}"/*.svg "${to}/"`,
  ]
}
