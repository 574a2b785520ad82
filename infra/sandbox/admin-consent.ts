/**
 * Entra's admin consent: an administrator approves the app for a whole tenant.
 *
 *   GET  /entra/{organizations|tenant}/v2.0/adminconsent?client_id&scope&redirect_uri&state   → a page
 *   POST to the same URL, as a form: decision=accept | decline, and tenant=<GUID> where the URL has none
 * The answer is a 303 to the redirect URI with `admin_consent=True`, `tenant`, `scope` and `state`, or with `error`,
 * `error_description`, `admin_consent=True` and `state`. Never a code.
 *
 * @see https://learn.microsoft.com/en-us/entra/identity-platform/v2-admin-consent
 */
import { errorPage } from './consent.ts'
import type { Directory } from './directory.ts'
import { entraDescription } from './entra-errors.ts'
import { type Exchange, RequestError, readForm, redirect, sendPage } from './http-exchange.ts'
import { html, type Markup, page } from './markup.ts'
import { tenants } from './personas.ts'

/** Personal accounts have no administrator. */
const organizations = [
  { name: 'Contoso', id: tenants.contoso },
  { name: 'Fabrikam', id: tenants.fabrikam },
  { name: 'Tenant A', id: tenants.tenantA },
]

interface AdminConsent {
  /** As the URL names it. */
  tenant: string
  settings: {
    client: { clientId: string; redirectUri: string }
    directory: Directory
    now(): number
  }
}

/** Shows the page on GET, carries out the decision on POST. */
export async function answerAdminConsent(exchange: Exchange, of: AdminConsent): Promise<void> {
  const { request, response, url } = exchange
  const { tenant, settings } = of
  const mistake = mistakeIn(url.searchParams, of)
  if (mistake !== undefined)
    return sendPage(response, {
      status: 400,
      page: errorPage({ title: 'Admin consent cannot start', detail: mistake }),
    })
  if (request.method === 'GET')
    return sendPage(response, { status: 200, page: consentPage(url.searchParams, of) })
  if (request.method !== 'POST') throw new RequestError('Only GET and POST are known here', { status: 405 })
  const form = await readForm(request)
  const answer = new URL(settings.client.redirectUri)
  const decision = form.get('decision')
  if (decision === 'decline') {
    const refusal = { aadsts: 65004, text: 'The resource owner or authorization server denied the request.' }
    answer.searchParams.set('error', 'access_denied')
    answer.searchParams.set('error_description', entraDescription(refusal, settings.now()))
    answer.searchParams.set('admin_consent', 'True')
  } else if (decision === 'accept') {
    const named = tenant === 'organizations' ? form.get('tenant') : tenant
    const tenantId = organizations.find(({ id }) => id === named)?.id
    if (tenantId === undefined)
      throw new RequestError('tenant must be one of the ids on the page', { status: 400, field: 'tenant' })
    settings.directory.approve(tenantId)
    answer.searchParams.set('admin_consent', 'True')
    answer.searchParams.set('tenant', tenantId)
    answer.searchParams.set('scope', url.searchParams.get('scope') ?? '')
  } else throw new RequestError('decision must be accept or decline', { status: 400, field: 'decision' })
  const state = url.searchParams.get('state')
  if (state !== null) answer.searchParams.set('state', state)
  redirect(response, answer.href)
}

/** What must not be sent back to the app, since it may not be the app that asks. */
function mistakeIn(query: URLSearchParams, { tenant, settings }: AdminConsent): string | undefined {
  const { clientId, redirectUri } = settings.client
  if (tenant !== 'organizations' && !organizations.some(({ id }) => id === tenant))
    return 'The address must name an organization: organizations, or a tenant’s id.'
  if (query.get('client_id') !== clientId)
    return 'AADSTS700016: Application was not found in the directory: client_id is wrong.'
  if (query.get('redirect_uri') !== redirectUri)
    return 'AADSTS50011: The redirect_uri of the request does not match the one that is registered.'
  if (!query.get('scope')) return 'AADSTS900144: The request must contain the parameter scope.'
  return undefined
}

function consentPage(query: URLSearchParams, { tenant, settings }: AdminConsent): Markup {
  const { directory } = settings
  const namesIn = (id: string) =>
    directory
      .personas()
      .filter(({ tenantId }) => tenantId === id)
      .map(({ name }) => name)
  const offered = organizations.filter(({ id }) => tenant === 'organizations' || id === tenant)
  return page({
    title: 'Admin consent: Microsoft sandbox',
    narrow: true,
    body: html`
<h1>Approve this app</h1>
<p class="dim">Microsoft sandbox on this machine. You are the administrator, and decide for everybody in your organization.</p>
<form method="post">
<fieldset>
<legend>Which organization?</legend>
${offered.map(
  ({ name, id }, index) => html`<label class="choice">
<input type="radio" name="tenant" value="${id}" required${index === 0 && { markup: ' checked' }}>
<div><strong>${name}</strong><small>${namesIn(id).join(', ')}</small><small>${id}</small>
${directory.isApproved(id) && html`<small>Approved already</small>`}</div>
</label>
`,
)}
</fieldset>
<p>The app asks for everybody there:</p>
<ul>${(query.get('scope') ?? '').split(' ').map(scope => html`<li><code>${scope}</code></li>`)}</ul>
<button class="main" name="decision" value="accept">Accept</button>
<button name="decision" value="decline">Decline</button>
</form>`,
  })
}
