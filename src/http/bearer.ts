import type { Context } from 'koa'
import type { CredentialManagement } from '../credentials/management-request.js'
import {
  CertificateRequiredError,
  DpopNonceRequiredError,
  DpopRequiredError,
  ExpiredTokenError,
  InvalidDpopProofError,
  InvalidTokenError,
  MalformedAuthorizationError,
} from '../errors.js'
import { certificateThumbprint, presentedCertificate } from './client-certificate.js'
import type { DpopNonces } from './dpop-nonces.js'
import { verifyDpopProof, type DpopProof } from './dpop.js'

/** `client` is scope `service` of an application for itself: it acts for no person. */
export type Scope =
  'service' | 'credential' | 'client' | 'credential-creation' | 'credential-deletion'

/** What an access token of ours stands for. */
export interface AccessToken {
  readonly clientId: string
  /** Empty with scope `client`. */
  readonly userId: string
  readonly scope: Scope
  /** The authorisation a credential-scope token refers to. */
  readonly authorisationId: string | null
  /** The consent of the person it was given out under; null for scope `client`. */
  readonly grantId: string | null
  /** What its person agreed to, with scopes `credential-creation` and `credential-deletion`. */
  readonly management: CredentialManagement | null
  /** Thumbprint of the key whose holder alone may use it (DPoP); null when anyone may. */
  readonly jkt: string | null
  /** Thumbprint of the TLS certificate with which alone it may be used (RFC 8705); null for any or none. */
  readonly x5t: string | null
}

export interface AccessTokens {
  /** `revoked` also for those of disabled people and applications; null for unknown ones. */
  find(token: string): Promise<AccessToken | 'expired' | 'revoked' | null>
  /** False when the proof was used before: of concurrent calls, exactly one gets true. */
  spendProof(proof: DpopProof): Promise<boolean>
  /** False when what its person agreed to was done before: of concurrent calls, exactly one gets true. */
  spendManagement(token: AccessToken): Promise<boolean>
}

/** What requests are held against. */
export interface ResourceServer {
  readonly baseUrl: string
  readonly now: Date
  /** The header in which a trusted proxy passes certificates on; null when there is none. */
  readonly certificateHeader: string | null
  /** Null when proofs need no nonce. */
  readonly dpopNonces: DpopNonces | null
}

/**
 * The token of a request, as `Bearer` or, when it is bound to a key, as `DPoP` with a proof.
 * @throws {MalformedAuthorizationError} @throws {InvalidTokenError} @throws {ExpiredTokenError}
 * @throws {CertificateRequiredError} @throws {DpopRequiredError} @throws {DpopNonceRequiredError}
 * @throws {InvalidDpopProofError}
 */
export async function requireBearer(
  ctx: Context,
  tokens: AccessTokens,
  server: ResourceServer,
): Promise<AccessToken> {
  rejectSeveralHeaders(ctx)
  const match = /^(Bearer|DPoP) +([\w~+/.-]+=*) *$/i.exec(ctx.get('authorization'))
  const [, scheme = '', accessToken] = match ?? []
  if (!accessToken) throw new MalformedAuthorizationError()
  const found = await tokens.find(accessToken)
  if (found === 'expired' || found === 'revoked') throw new ExpiredTokenError(found)
  if (!found) throw new InvalidTokenError('unknown')
  rejectOtherCertificate(ctx, found, server)
  if (scheme.toLowerCase() === 'bearer') {
    if (found.jkt !== null) throw new DpopRequiredError('bound token as bearer')
    return found
  }
  if (found.jkt === null) throw new InvalidTokenError('not bound to a key')
  const proof = await verifyDpopProof(ctx, { accessToken, ...server })
  if (proof.jkt !== found.jkt) throw new InvalidDpopProofError('other key')
  rejectOldNonce(ctx, proof, server)
  if (!(await tokens.spendProof(proof))) throw new InvalidDpopProofError('used before')
  return found
}

/** Proxies and servers take different ones of several for what counts (RFC 9110, 5.3). */
function rejectSeveralHeaders({ req }: Context): void {
  if ((req.headersDistinct['authorization']?.length ?? 0) > 1) {
    throw new MalformedAuthorizationError()
  }
}

/** @throws {CertificateRequiredError} */
function rejectOtherCertificate(
  ctx: Context,
  { x5t }: AccessToken,
  { certificateHeader }: ResourceServer,
): void {
  if (x5t === null) return
  const certificate = certificateHeader && presentedCertificate(ctx, certificateHeader)
  if (!certificate || certificateThumbprint(certificate) !== x5t) {
    throw new CertificateRequiredError('none or another certificate')
  }
}

/** Whatever the proof carries, the answer says which nonce to use next. */
function rejectOldNonce(
  ctx: Context,
  { nonce }: DpopProof,
  { dpopNonces, now }: ResourceServer,
): void {
  if (!dpopNonces) return
  const next = dpopNonces.next(now)
  if (nonce !== next) ctx.set('DPoP-Nonce', next)
  if (!dpopNonces.accepts(nonce, now)) throw new DpopNonceRequiredError('nonce')
}
