import type { X509Certificate } from 'node:crypto'
import { errors, type Configuration } from 'oidc-provider'
import { parseCertificate } from '../certificates/certificate.js'
import type { Config } from '../config/schema.js'
import { certificateHeader, presentedCertificate } from '../http/client-certificate.js'
import { hasQuirk } from './client-quirks.js'
import { OAUTH_ROUTES } from './routes.js'

/** Ways to authenticate that need nothing but what the application sends (RFC 7591, 2). */
export const CLIENT_AUTH_METHODS = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'none',
] as const

/** The one that needs a proxy that passes certificates on (RFC 8705, 2.1). */
export const CERTIFICATE_AUTH_METHOD = 'tls_client_auth'

/**
 * A stolen assertion that nobody has used yet is good for that long, and so long it is remembered once it was
 * (RFC 7523, 3).
 */
const LONGEST_ASSERTION_MS = 60 * 60 * 1000

type Features = NonNullable<Configuration['features']>
type Settings = Required<
  Pick<Configuration, 'clientAuthMethods' | 'assertJwtClientAuthClaimsAndHeader'>
> & { features: Pick<Features, 'mTLS'> }

/** How applications prove who they are, at every endpoint that asks for it. */
export function clientAuthentication(config: Config, now: () => Date): Settings {
  const header = certificateHeader(config.proxy)
  return {
    clientAuthMethods: [
      ...CLIENT_AUTH_METHODS,
      ...(header === null ? [] : ([CERTIFICATE_AUTH_METHOD] as const)),
    ],
    // One assertion is for one server: neither a list nor the address of an endpoint will do (S43).
    assertJwtClientAuthClaimsAndHeader: (_ctx, { aud, exp }, _header, client) => {
      // By the clock that the library judges it with.
      if (!(Number(exp) * 1000 <= Date.now() + LONGEST_ASSERTION_MS)) {
        throw new errors.InvalidClientAuth('exp is unreasonably far in the future')
      }
      if (aud === config.baseUrl) return
      const names = [aud].flat()
      const ours = [config.baseUrl, `${config.baseUrl}${OAUTH_ROUTES.token}`]
      const isLet = hasQuirk(client, 'endpoint-audience') && names.length > 0
      if (isLet && names.every((each) => typeof each === 'string' && ours.includes(each))) return
      throw new errors.InvalidClientAuth('audience must be the issuer')
    },
    features: {
      mTLS:
        header === null
          ? { enabled: false }
          : {
              enabled: true,
              tlsClientAuth: true,
              certificateBoundAccessTokens: true,
              getCertificate: (ctx) => presentedCertificate(ctx, header) ?? undefined,
              certificateAuthorized: (ctx) => isInForce(presentedCertificate(ctx, header), now()),
              certificateSubjectMatches: (ctx, property, expected) =>
                property === 'tls_client_auth_subject_dn' &&
                subjectOf(presentedCertificate(ctx, header)) === expected,
            },
    },
  }
}

function isInForce(certificate: X509Certificate | null, now: Date): boolean {
  if (!certificate) return false
  const { notBefore, notAfter } = parseCertificate(certificate.raw)
  return notBefore <= now && now <= notAfter
}

function subjectOf(certificate: X509Certificate | null): string | null {
  return certificate && parseCertificate(certificate.raw).subject
}
