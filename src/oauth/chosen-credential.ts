import type { Middleware } from 'koa'
import type { KoaContextWithOIDC } from 'oidc-provider'

/** The claim of a grant that says: tell which credential it is for. */
export const CHOSEN_CREDENTIAL = 'credentialID'

/** The credential an approval is for. */
type CredentialOf = (authorisationId: string) => Promise<string | null>

/** When the signer or the server chose the credential, the application learns which (CSC API v2, 8.4.4). */
export function nameChosenCredential(credentialOf: CredentialOf): Middleware {
  return async (koa, next) => {
    const ctx = koa as KoaContextWithOIDC
    await next()
    if (ctx.oidc?.route !== 'token' || ctx.status !== 200) return
    const { Grant: grant, AccessToken: token } = ctx.oidc.entities
    if (token?.scope !== 'credential' || !grant?.getOIDCClaims().includes(CHOSEN_CREDENTIAL)) return
    const credentialID = await credentialOf(grant.jti)
    Object.assign(ctx.body as object, { credentialID })
  }
}
