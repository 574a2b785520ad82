/** Where both real providers differ from oidc-provider in the same way. */
import type { Context, Provider } from 'oidc-provider'

/**
 * The id_token that comes with a refresh holds no nonce, since no authorization request is behind it
 * (OpenID Connect Core 12.2). oidc-provider would repeat the first one.
 */
export function forgetNonceOnRefresh(provider: Provider): void {
  const { prototype } = provider.RefreshToken
  const save = prototype.save
  prototype.save = function saveWithoutNonce(this: object) {
    Object.assign(this, { nonce: undefined })
    return save.call(this)
  }
}

/**
 * Takes RFC 9207's `iss` off the redirect to the app, which ours would moreover fill with `common` where the id_token
 * names a tenant; and the session cookies, so that every sign-in starts from nothing.
 */
export function plainRedirect(context: Context): void {
  context.remove('Set-Cookie')
  const location = context.response.get('location')
  if (!location?.startsWith('http')) return
  const url = new URL(location)
  url.searchParams.delete('iss')
  context.body = ''
  context.set('Location', url.href)
}

/** A failure of the sandbox itself would otherwise look like one of the provider's own refusals. */
export function reportFailures(provider: Provider): void {
  provider.on('server_error', (_context, error) =>
    console.error('The sandbox failed to answer a sign-in', error),
  )
}
