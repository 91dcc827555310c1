import { X509Certificate, createHash } from 'node:crypto'
import type { Context } from 'koa'

/** The parser takes the first of several, and what follows is not looked at. */
const ONE_PEM = /^-----BEGIN CERTIFICATE-----\s[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*$/

/** The header a certificate is taken from; null when no proxy in front is trusted to set it (S38). */
export function certificateHeader(proxy: {
  readonly trusted: boolean
  readonly clientCertificateHeader?: string
}): string | null {
  return proxy.trusted ? (proxy.clientCertificateHeader ?? null) : null
}

/** The certificate the proxy verified: RFC 9440, or PEM, URL-encoded. Null also when there are two. */
export function presentedCertificate(
  { req }: Pick<Context, 'req'>,
  header: string,
): X509Certificate | null {
  const values = req.headersDistinct[header.toLowerCase()] ?? []
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

/** `x5t#S256` of RFC 8705, 3.1. */
export function certificateThumbprint({ raw }: X509Certificate): string {
  return createHash('sha256').update(raw).digest('base64url')
}
