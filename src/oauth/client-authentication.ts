import { X509Certificate } from 'node:crypto'
import type { Context } from 'koa'
import { errors, type Configuration, type KoaContextWithOIDC } from 'oidc-provider'
import { parseCertificate } from '../certificates/certificate.js'
import type { Config } from '../config/schema.js'

type Features = NonNullable<Configuration['features']>
type Settings = Required<
  Pick<Configuration, 'clientAuthMethods' | 'assertJwtClientAuthClaimsAndHeader'>
> & { features: Pick<Features, 'mTLS'> }

/** The parser takes the first of several, and what follows is not looked at. */
const ONE_PEM = /^-----BEGIN CERTIFICATE-----\s[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*$/

/** How applications prove who they are, at every endpoint that asks for it. */
export function clientAuthentication(config: Config, now: () => Date): Settings {
  const header = certificateHeader(config)
  return {
    clientAuthMethods: [
      ...(['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'] as const),
      ...(header === null ? [] : (['tls_client_auth'] as const)),
    ],
    // One assertion is for one server: neither a list nor the address of an endpoint will do (S43).
    assertJwtClientAuthClaimsAndHeader: (_ctx, { aud }) => {
      if (aud !== config.baseUrl) throw new errors.InvalidClientAuth('audience must be the issuer')
    },
    features: {
      mTLS:
        header === null
          ? { enabled: false }
          : {
              enabled: true,
              tlsClientAuth: true,
              getCertificate: (ctx) => presentedCertificate(ctx, header) ?? undefined,
              certificateAuthorized: (ctx) => isInForce(presentedCertificate(ctx, header), now()),
              certificateSubjectMatches: (ctx, property, expected) =>
                property === 'tls_client_auth_subject_dn' &&
                subjectOf(presentedCertificate(ctx, header)) === expected,
            },
    },
  }
}

/** The header a certificate is taken from; null when no proxy in front is trusted to set it (S38). */
export function certificateHeader({ proxy }: Config): string | null {
  return proxy.trusted ? (proxy.clientCertificateHeader ?? null) : null
}

/** The certificate the proxy verified: RFC 9440, or PEM, URL-encoded. Null also when there are two. */
function presentedCertificate(
  ctx: Context | KoaContextWithOIDC,
  header: string,
): X509Certificate | null {
  const values = ctx.req.headersDistinct[header.toLowerCase()] ?? []
  const [value] = values
  if (value === undefined || values.length !== 1) return null
  try {
    const der = /^:([A-Za-z0-9+/]+=*):$/.exec(value)?.[1]
    if (der !== undefined) return new X509Certificate(Buffer.from(der, 'base64'))
    const pem = decodeURIComponent(value)
    return ONE_PEM.test(pem) ? new X509Certificate(pem) : null
  } catch {
    return null
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
