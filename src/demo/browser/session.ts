import type { PendingAuthorization, ServerMetadata } from './oauth.js'
import type { Exchange } from './protocol-log.js'
import type { Placement } from './placement.js'
import type { CredentialInfo } from './service.js'

/** What is known of the service. */
export interface ServiceFacts {
  readonly name: string
  readonly server: ServerMetadata
  /** The best level it makes of signed PDFs; null when it makes none. */
  readonly pdfLevel: string | null
}

/**
 * What survives the two trips to the signing service: for this tab only, and no token among it.
 * Tokens live in memory, and are used or revoked before the page is left.
 */
export interface Session {
  readonly id: string
  /** The service that was asked; answers are held against it (RFC 9207). */
  readonly service?: ServiceFacts
  /** Where signatures are seen, by fingerprint of the PDF; null for nowhere. */
  readonly placements?: Readonly<Record<string, Placement | null>>
  readonly pending?: PendingAuthorization
  readonly credentials?: readonly CredentialInfo[]
  readonly chosen?: string
  /** Of documents that are no PDF, in their order. */
  readonly signatures?: readonly string[]
  readonly log: readonly Exchange[]
}

const KEY = 'openrssp-demo'

export function newSession(): Session {
  return { id: crypto.randomUUID(), log: [] }
}

export function loadSession(): Session {
  try {
    const saved = sessionStorage.getItem(KEY)
    return saved ? (JSON.parse(saved) as Session) : newSession()
  } catch {
    return newSession()
  }
}

export function saveSession(session: Session): void {
  sessionStorage.setItem(KEY, JSON.stringify(session))
}

export function forgetSession(): void {
  sessionStorage.removeItem(KEY)
}
