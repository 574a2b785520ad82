/** `federate`: lets Entra trust the functions' AWS roles, so that an OAuth app there needs no secret. */

import * as v from 'valibot'
import { check, parse } from '../../functions/channel/schema-check.ts'
import { ApiError } from './api.ts'
import { command, exitCodes, UsageError } from './command.ts'

/** @see https://learn.microsoft.com/graph/api/resources/federatedidentitycredential */
const credentialSchema = v.object({
  name: v.string(),
  issuer: v.string(),
  subject: v.string(),
  audiences: v.array(v.string()),
})
type FederatedCredential = v.InferOutput<typeof credentialSchema>

const role = /^arn:aws[a-z-]*:iam::\d{12}:role\/([A-Za-z0-9+=,.@_-]+)$/

/** Entra refuses a credential that names another issuer, subject or audience than the token, letter by letter. */
function federatedCredentials(trust: {
  issuer: string
  subjects: string
  audience: string
}): FederatedCredential[] {
  if (!/^https:\/\/[^/\s]+$/.test(trust.issuer))
    throw new UsageError(`--issuer must be an https origin, as AWS printed it; found: ${trust.issuer}`)
  const arns = trust.subjects.split(/[\s,]+/).filter(text => text !== '')
  if (arns.length === 0) throw new UsageError('--subjects names no role; the output FederatedSubjects does.')
  return arns.map(subject => {
    const name = role.exec(subject)?.[1]
    if (!name) throw new UsageError(`--subjects must be ARNs of roles; found: ${subject}`)
    // Entra takes 3 to 120 characters of these as a name.
    return {
      name: name.replace(/[^A-Za-z0-9_-]/g, '-'),
      issuer: trust.issuer,
      subject,
      audiences: [trust.audience],
    }
  })
}

interface Graph {
  /** Origin of Microsoft Graph; national clouds have their own. */
  url: string
  token: string
  clientId: string
}

const page = v.object({ value: v.array(credentialSchema) })

/**
 * Brings the app's credentials of these names to what is wanted; others stay as they are.
 * @see https://learn.microsoft.com/graph/api/federatedidentitycredential-upsert
 * @returns what was done, by name
 * @throws ApiError with Graph's own words
 */
async function applyCredentials(
  graph: Graph,
  wanted: FederatedCredential[],
): Promise<{ name: string; outcome: 'unchanged' | 'made' | 'changed' }[]> {
  const { value: present } = parse(page, await callGraph(graph, 'GET', ''))
  const done: { name: string; outcome: 'unchanged' | 'made' | 'changed' }[] = []
  for (const credential of wanted) {
    const { name, ...content } = credential
    const before = present.find(one => one.name === name)
    if (before && JSON.stringify(parse(credentialSchema, before)) === JSON.stringify(credential)) {
      done.push({ name, outcome: 'unchanged' })
      continue
    }
    if (before) await callGraph(graph, 'PATCH', `/${encodeURIComponent(name)}`, content)
    else await callGraph(graph, 'POST', '', credential)
    done.push({ name, outcome: before ? 'changed' : 'made' })
  }
  return done
}

const graphError = v.object({ error: v.object({ code: v.string(), message: v.string() }) })

async function callGraph(
  { url, token, clientId }: Graph,
  method: string,
  path: string,
  body?: object,
): Promise<unknown> {
  const app = `applications(appId='${encodeURIComponent(clientId)}')`
  const response = await fetch(`${url}/v1.0/${app}/federatedIdentityCredentials${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: body && JSON.stringify(body),
    redirect: 'error',
  }).catch(() => {
    throw new ApiError(`Microsoft Graph does not answer at ${url}.`, { exitCode: exitCodes.unreachable })
  })
  const answer: unknown = await response.json().catch(() => null)
  if (response.ok) return answer
  const said = check(graphError, answer)
  throw new ApiError(
    said.success
      ? `Microsoft Graph: ${said.data.error.code}: ${said.data.error.message}`
      : `Microsoft Graph answered HTTP ${response.status}.`,
    { exitCode: [401, 403].includes(response.status) ? exitCodes.notAllowed : exitCodes.refused },
  )
}

export const federateCommand = command({
  name: 'federate',
  words: [],
  says: 'lets Entra trust the AWS roles of the functions, so that the OAuth app needs no secret',
  more: 'Prints what Entra must be told. With --apply it tells Entra, with the Graph token that it reads from stdin (Application.ReadWrite.OwnedBy or .All); run again it changes only what differs. infra/register-apps.md goes through it.',
  options: {
    app: { type: 'string', value: 'CLIENT_ID', says: 'the OAuth app', required: true },
    issuer: {
      type: 'string',
      value: 'URL',
      says: 'what `aws iam get-outbound-web-identity-federation-info` prints',
      required: true,
    },
    subjects: {
      type: 'string',
      value: 'ARNS',
      says: 'the output FederatedSubjects of the stack',
      required: true,
    },
    audience: { type: 'string', value: 'URI', says: 'for a national cloud; else api://AzureADTokenExchange' },
    graph: {
      type: 'string',
      value: 'URL',
      says: 'Graph of a national cloud; else https://graph.microsoft.com',
    },
    apply: { type: 'boolean', says: 'tells Entra' },
  },
  async run({ terminal, options }) {
    const { app, issuer, subjects, audience = 'api://AzureADTokenExchange', apply } = options
    const wanted = federatedCredentials({ issuer, subjects, audience })
    if (!apply) {
      for (const credential of wanted) {
        if (terminal.json) terminal.document(credential)
        else terminal.line(JSON.stringify(credential, null, 2))
      }
      terminal.note(`Nothing was changed: these belong to the app ${app}; --apply makes them.`)
      return exitCodes.done
    }
    const token = (await terminal.read()).trim()
    if (token === '')
      throw new ApiError('There is no Graph token on stdin.', { exitCode: exitCodes.notAllowed })
    const url = (options.graph ?? 'https://graph.microsoft.com').replace(/\/$/, '')
    const done = await applyCredentials({ url, token, clientId: app }, wanted)
    if (terminal.json) for (const one of done) terminal.document(one)
    else
      terminal.table(
        ['federated credential', 'outcome'],
        done.map(({ name, outcome }) => [name, outcome]),
      )
    return exitCodes.done
  },
})
