/**
 * `npm run package`: the construct as a package that any CDK app installs, in JavaScript with declarations, since Node
 * strips no types of what lies in node_modules.
 *
 * It has what postroom.ts reaches, the functions that it bundles, and the console; their folders lie as they do here. The
 * CDK is the app's own (a peer): of two copies one does not know the other's constructs.
 */

import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import manifest from '../package.json' with { type: 'json' }
import { type BundledFolder, sourceFiles, sourceFolder } from './bundle.ts'
import { memoryMegabytes } from './memory.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const artefacts = join(root, 'artefacts')
const folder = join(artefacts, 'package')

const peers = ['aws-cdk-lib', 'constructs'] as const
/** Makes the bundles when the app is synthesized. */
const bundler = 'esbuild'

const functions = (Object.keys(memoryMegabytes) as BundledFolder[]).flatMap(folder =>
  Object.values(sourceFiles(folder)).map(file => join(sourceFolder(folder), file)),
)

rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })

writeJson('tsconfig.json', {
  extends: join(root, 'tsconfig.json'),
  compilerOptions: {
    noEmit: false,
    declaration: true,
    rewriteRelativeImportExtensions: true,
    rootDir: root,
    outDir: folder,
  },
  files: [join(root, 'infra', 'postroom.ts'), ...functions],
  include: [],
})
execFileSync(join(root, 'node_modules', '.bin', 'tsc'), ['-p', folder], { stdio: 'inherit' })
rmSync(join(folder, 'tsconfig.json'))

cpSync(join(root, 'infra', 'console'), join(folder, 'infra', 'console'), {
  recursive: true,
  filter: path => !path.includes('screenshots'),
})
cpSync(join(root, 'README.md'), join(folder, 'README.md'))

const { name, version, description, license, dependencies, devDependencies } = manifest
writeJson('package.json', {
  name,
  version,
  description,
  license,
  type: 'module',
  // An app in CommonJS, as `cdk init` makes it, loads an ES module from these on.
  engines: { node: '>=20.19 <21 || >=22.12' },
  exports: { types: './infra/postroom.d.ts', default: './infra/postroom.js' },
  dependencies: { ...dependencies, [bundler]: devDependencies[bundler] },
  peerDependencies: Object.fromEntries(peers.map(peer => [peer, `^${devDependencies[peer]}`])),
})
execFileSync('npm', ['pack', folder, '--pack-destination', artefacts, '--silent'], { stdio: 'inherit' })

function writeJson(file: string, value: object): void {
  writeFileSync(join(folder, file), `${JSON.stringify(value, null, 2)}\n`)
}
