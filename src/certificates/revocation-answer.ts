import type { KnownCertificate } from './known-certificate.js'

/** Of which certificate something is to be known. */
export interface RevocationQuestion {
  readonly certificate: KnownCertificate
  readonly issuer: KnownCertificate
  /** As of when algorithms are trusted. */
  readonly time: Date
}

/** What an authority says of one certificate, checked: that it is from whom may say it. */
export interface RevocationAnswer {
  readonly source: 'crl' | 'ocsp'
  /** Null when it is good. */
  readonly revoked: Revoked | null
  readonly producedAt: Date
  readonly thisUpdate: Date
  readonly nextUpdate: Date | null
  /** Since when certificates are kept there after their end; null where they may be forgotten. */
  readonly keepsExpiredSince: Date | null
  /** Who signed it: the issuer, or a responder whose own revocation is still to be looked at. */
  readonly signer: KnownCertificate
}

export interface Revoked {
  readonly at: Date
  /** CRLReason (RFC 5280, 5.3.1). */
  readonly reason: number | null
}

/** Clocks differ. */
const SKEW_MS = 5 * 60_000
/** What does not say when there will be news counts so long. */
const WITHOUT_NEXT_MS = 24 * 60 * 60_000

/** @throws {Error} when it is not of now */
export function rejectStale({ thisUpdate, nextUpdate }: RevocationAnswer, now: Date): void {
  const until = nextUpdate?.getTime() ?? thisUpdate.getTime() + WITHOUT_NEXT_MS
  if (thisUpdate.getTime() > now.getTime() + SKEW_MS) throw new Error('it is of the future')
  if (until < now.getTime() - SKEW_MS) throw new Error('it is out of date')
}
