import { errors, type KoaContextWithOIDC } from 'oidc-provider'
import type { Config } from '../config/schema.js'
import { isServiceError } from '../errors.js'
import { ACCOUNT_CLIENT_ID } from './account-client.js'
import { verifyAccountToken } from './account-token.js'
import { readAuthorizationDetails } from './authorization-details.js'
import type { ClientStore } from './client.js'
import {
  readCredentialScope,
  rejectCredentialParameters,
  wordsFor,
  type CscParameters,
} from './credential-scope.js'
import { ACCESS_DENIED, INVALID_SCOPE } from './csc-errors.js'
import {
  isManagementScope,
  managementScopeOf,
  readManagement,
  type ManagementScope,
} from './management-details.js'
import { hashIdentifier, type OAuthRecordStore } from './oauth-record.js'
import { isApproved } from './signer-policy.js'

interface RequestChecks {
  readonly config: Pick<Config, 'newCredentials'>
  readonly clients: ClientStore
  readonly records: OAuthRecordStore
  readonly now: () => Date
}

/** Scope and CSC parameters of an authorization request, whether pushed or not (CSC API v2, 8.4.2). */
export async function rejectUnfitAuthorizationRequest(
  ctx: KoaContextWithOIDC,
  parts: RequestChecks,
): Promise<void> {
  const parameters = (ctx.oidc.params ?? {}) as RequestParameters
  rejectEmptyDetails(ctx)
  if (parameters.authorization_details) parameters.scope ??= scopeOfDetails(parameters)
  parameters.scope ??= 'service'
  if (ctx.oidc.responseMode !== 'query') throw new errors.UnsupportedResponseMode()
  try {
    if (isManagementScope(parameters.scope))
      rejectUnfitManagement(parameters.scope, parameters, parts)
    else if (parameters.authorization_details) rejectUnfitDetails(parameters)
    else if (parameters.scope === 'credential') readCredentialScope(parameters)
    else if (parameters.scope === 'service') rejectCredentialParameters(parameters)
    else throw new errors.InvalidScope(INVALID_SCOPE, parameters.scope)
  } catch (error) {
    if (isServiceError(error)) throw new errors.InvalidRequest(wordsFor(parameters, error))
    throw error
  }
  rejectUnfitKey(ctx)
  rejectSigningForOwnPages(ctx, parameters)
  if (isApproved(parameters.scope)) await rejectUnpushed(ctx, parts)
  if (parameters.account_token) await rejectBadAccountToken(ctx, parameters.account_token, parts)
}

async function rejectBadAccountToken(
  ctx: KoaContextWithOIDC,
  token: string,
  { clients, records, now }: RequestChecks,
): Promise<void> {
  // A pushed request was checked, and its token used up, when it was pushed.
  if (ctx.oidc.entities.PushedAuthorizationRequest) return
  const denied = new errors.AccessDenied(ACCESS_DENIED, 'account_token')
  const client = await clients.find(ctx.oidc.client?.clientId ?? '')
  if (!client?.secret) throw denied
  const { id, secret } = client
  const verified = await verifyAccountToken(token, { id, secret }, now()).catch(() => {
    throw denied
  })
  const first = await records.putOnce({
    model: 'AccountToken',
    idHash: hashIdentifier(JSON.stringify([id, verified.jti])),
    grantId: null,
    uidHash: null,
    payload: '',
    expiresAt: verified.forgetAfter,
  })
  if (!first) throw denied
}

type RequestParameters = CscParameters & { scope?: string | undefined }

/** What details ask for says which scope they stand for; what cannot be read is refused as such. */
function scopeOfDetails({ authorization_details = '' }: RequestParameters): string {
  try {
    return managementScopeOf(authorization_details) ?? 'credential'
  } catch {
    return 'credential'
  }
}

/** Details of another kind than the scope, or members beside them, might say something else. */
function rejectUnfitManagement(
  scope: ManagementScope,
  parameters: RequestParameters,
  { config }: RequestChecks,
): void {
  if (!config.newCredentials.allowed) {
    throw new errors.InvalidScope(INVALID_SCOPE, scope)
  }
  const { authorization_details: details } = parameters
  const isNamedApart = !details && scope === 'credential-deletion'
  rejectCredentialParameters(isNamedApart ? { ...parameters, credentialID: '' } : parameters)
  if (details && scopeOfDetails(parameters) !== scope) {
    throw new errors.InvalidAuthorizationDetails('Invalid parameter authorization_details')
  }
  try {
    readManagement(scope, parameters)
  } catch (error) {
    if (isServiceError(error) && details) {
      throw new errors.InvalidAuthorizationDetails(error.message)
    }
    throw error
  }
}

/** Details beside scope `credential` say the same; beside its parameters they might not (CSC API v2, 8.4.2). */
function rejectUnfitDetails(parameters: RequestParameters): void {
  const { scope, authorization_details = '' } = parameters
  if (scope !== 'credential') {
    throw new errors.InvalidScope(INVALID_SCOPE, scope ?? '')
  }
  rejectCredentialParameters(parameters)
  try {
    readAuthorizationDetails(authorization_details)
  } catch (error) {
    if (isServiceError(error)) throw new errors.InvalidAuthorizationDetails(error.message)
    throw error
  }
}

/** No key has another thumbprint: nobody could redeem what the signer agrees to (RFC 9449, 10). */
function rejectUnfitKey({ oidc }: KoaContextWithOIDC): void {
  const thumbprint = oidc.params?.['dpop_jkt']
  if (typeof thumbprint === 'string' && !/^[\w-]{43}$/.test(thumbprint)) {
    throw new errors.InvalidRequest('Invalid parameter dpop_jkt')
  }
}

/** Nothing is signed for the signer's own pages. */
function rejectSigningForOwnPages(
  ctx: KoaContextWithOIDC,
  { scope = '' }: RequestParameters,
): void {
  if (ctx.oidc.client?.clientId === ACCOUNT_CLIENT_ID && scope !== 'service') {
    throw new errors.InvalidScope(INVALID_SCOPE, scope)
  }
}

/** The library takes an empty array for none. */
function rejectEmptyDetails(ctx: KoaContextWithOIDC): void {
  if (ctx.oidc.entities.PushedAuthorizationRequest) return
  const sent = ctx.method === 'POST' ? ctx.oidc.body : ctx.query
  if (sent?.['authorization_details'] && ctx.oidc.params?.['authorization_details'] === undefined) {
    throw new errors.InvalidAuthorizationDetails('Invalid parameter authorization_details')
  }
}

/** Applications may be bound to ask for signatures where no browser can change the question (S35). */
async function rejectUnpushed(ctx: KoaContextWithOIDC, { clients }: RequestChecks): Promise<void> {
  if (ctx.oidc.route !== 'authorization' || ctx.oidc.entities.PushedAuthorizationRequest) return
  const client = await clients.find(ctx.oidc.client?.clientId ?? '')
  if (client?.requirePushedForCredential) {
    throw new errors.InvalidRequest('Pushed Authorization Request must be used')
  }
}
