/** The function that serves the console, where one is configured. It may touch nothing: what it shows comes from the API. */

import { copyFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { IBucket } from 'aws-cdk-lib/aws-s3'
import type { Construct } from 'constructs'
import { buildSync } from 'esbuild'
import type { SignIn } from '../functions/console/page.ts'
import type { PostroomConfiguration } from './configuration-schema.ts'
import { PostroomFunction } from './postroom-function.ts'

/** @returns undefined where none is configured */
export function makeConsole(
  scope: Construct,
  {
    systemName,
    mail,
    configuration,
  }: { systemName: string; mail: IBucket; configuration: PostroomConfiguration },
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
    environment: {
      consoleSignIn: JSON.stringify(signIn),
      mailOrigin: `https://${mail.bucketRegionalDomainName}`,
    },
    filesBeside: consoleFiles,
  })
}

const source = fileURLToPath(new URL('console', import.meta.url))

/** Its scripts as one, with the library that signs in; the page, its styles and its icon as they are. */
function consoleFiles(outputFolder: string): void {
  const target = join(outputFolder, 'console')
  buildSync({
    entryPoints: [join(source, 'console.js')],
    outfile: join(target, 'console.js'),
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    logLevel: 'warning',
  })
  for (const file of readdirSync(source).filter(name => /\.(html|css|svg)$/.test(name))) {
    copyFileSync(join(source, file), join(target, file))
  }
}
