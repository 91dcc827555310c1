/** What an identity provider said of the person, after every check it had to pass. */
export interface VerifiedIdentity {
  /** Our name for the provider. */
  readonly provider: string
  readonly issuer: string
  /** Means something only together with the issuer; often a pseudonym made for us alone. */
  readonly subject: string
  /** ISO 8601; null when the provider does not tell. */
  readonly authenticatedAt: string | null
  readonly acr: string | null
  readonly amr: readonly string[]
  /** Null unless both names came, non-empty. */
  readonly name: { readonly given: string; readonly family: string } | null
  /** Only when the provider says that it verified it. */
  readonly email: string | null
  /** SHA-256 of the ID token, hexadecimal: which assertion it was, without keeping it. */
  readonly assertion: string
}

/**
 * - `denied`: the person, or the provider in their name, said no
 * - `unavailable`: the provider could not be asked
 * - `refused`: what came back does not stand up
 * - the rest: it does, but opens nothing here
 */
export type RefusalKind =
  | ('denied' | 'unavailable' | 'refused')
  | ('unknown' | 'barred' | 'nameless' | 'taken' | 'other-person')

/** No identity came of it. `message` is for the audit log and holds no token, code or claim value. */
export class IdentityRefusedError extends Error {
  override readonly name = 'IdentityRefusedError'
  readonly kind: RefusalKind
  constructor(kind: RefusalKind, why: string) {
    super(why)
    this.kind = kind
  }
}
