import { randomUUID, webcrypto } from 'node:crypto'
import { auditEvent, type AuditEvent } from '../audit/events.js'
import type { Secrets } from '../config/secrets.js'
import { InvalidParameterError, RequestTooLargeError, TooManyRequestsError } from '../errors.js'
import { HASH_ALGORITHMS, type HashAlgorithm, type HashName } from '../keys/algorithms.js'

/** After this, some of what is here will have expired. */
const TRY_AGAIN_SECONDS = 60

/** A document as it is kept. */
export interface KeptDocument {
  readonly id: string
  readonly clientId: string
  /** Empty when every signer whom its application asks may see it. */
  readonly userId: string
  /** Digests of the document, Base64. */
  readonly sha256: string
  readonly sha384: string
  readonly sha512: string
  /** Sealed. */
  readonly label: string
  /** Sealed. */
  readonly content: Uint8Array
  /** Of the document, in bytes. */
  readonly size: number
  readonly expiresAt: Date
}

/** What one application may have here at a time. */
export interface DepositLimits {
  readonly documents: number
  readonly bytes: number
}

export interface WantedDocument {
  readonly clientId: string
  readonly userId: string
  readonly hash: HashName
  /** Base64. */
  readonly digest: string
}

export interface DepositStore {
  /**
   * Takes the place of the same document of the same application and person. False when there is no room
   * for it; requests at the same time may overrun the limits by what they bring.
   */
  add(
    document: KeptDocument,
    limits: DepositLimits,
    now: Date,
    audit: readonly AuditEvent[],
  ): Promise<boolean>
  /** Of that very person, or of nobody in particular. False when there is none. */
  remove(document: WantedDocument, now: Date, audit: readonly AuditEvent[]): Promise<boolean>
  /** Of which digests there are such documents, without these. */
  list(wanted: WantedDocuments, now: Date): Promise<ListedDocument[]>
  /** What that person may see of that application's documents; their own before everybody's. */
  find(wanted: WantedDocument, now: Date): Promise<KeptDocument | null>
}

export interface WantedDocuments extends Omit<WantedDocument, 'digest'> {
  /** Base64. */
  readonly digests: readonly string[]
}

export interface ListedDocument extends Omit<KeptDocument, 'content' | HashName> {
  /** The one by which it was asked for. */
  readonly digest: string
}

/** Whose request it is, and who is asked. */
interface Asked {
  readonly clientId: string
  readonly userId: string
}

/** What an application leaves here. */
export interface Deposit {
  readonly clientId: string
  /** Empty for every signer whom the application asks. */
  readonly userId: string
  /** The application's name for it. */
  readonly label: string | null
  readonly content: Buffer
}

/** A document whose digest was computed from these very bytes just now. */
class FoundDocument {
  protected readonly digestComputed = true
  readonly label: string | null
  readonly content: Buffer
  /** Hexadecimal. */
  readonly digest: string
  constructor(parts: { label: string | null; content: Buffer; digest: string }) {
    this.label = parts.label
    this.content = parts.content
    this.digest = parts.digest
  }
}
export type DepositedDocument = FoundDocument

/** Documents that applications leave here for a while, so that their signers see them before they agree. */
export class Deposits {
  readonly #store: DepositStore
  readonly #secrets: Secrets
  readonly #now: () => Date
  readonly #keepSeconds: number
  readonly #documentBytes: number
  readonly #limits: DepositLimits

  constructor(parts: {
    store: DepositStore
    secrets: Secrets
    now: () => Date
    keepSeconds: number
    documentBytes: number
    limits: DepositLimits
  }) {
    this.#store = parts.store
    this.#secrets = parts.secrets
    this.#now = parts.now
    this.#keepSeconds = parts.keepSeconds
    this.#documentBytes = parts.documentBytes
    this.#limits = parts.limits
  }

  /**
   * @returns by which digests it will be found, and for how long
   * @throws {InvalidParameterError} @throws {RequestTooLargeError}
   * @throws {TooManyRequestsError} when the application has too much here already
   */
  async add({ clientId, userId, label, content }: Deposit): Promise<{
    digests: Readonly<Record<HashName, Buffer>>
    expiresIn: number
  }> {
    if (content.length === 0) throw new InvalidParameterError('document')
    if (content.length > this.#documentBytes) throw new RequestTooLargeError('document')
    const digests = {
      sha256: await digestOf(content, HASH_ALGORITHMS.sha256),
      sha384: await digestOf(content, HASH_ALGORITHMS.sha384),
      sha512: await digestOf(content, HASH_ALGORITHMS.sha512),
    }
    const [now, expiresIn, size] = [this.#now(), this.#keepSeconds, content.length]
    const sha256 = digests.sha256.toString('base64')
    const owner = { id: randomUUID(), clientId, userId }
    const kept = {
      ...{ ...owner, sha256, size },
      sha384: digests.sha384.toString('base64'),
      sha512: digests.sha512.toString('base64'),
      label: this.#secrets.seal(sealOf(owner, 'label'), label ?? ''),
      content: this.#secrets.sealBytes(sealOf(owner, 'content'), content),
      expiresAt: new Date(now.getTime() + expiresIn * 1000),
    }
    const event = auditEvent('document.deposited', { clientId, userId, sha256, size })
    if (!(await this.#store.add(kept, this.#limits, now, [event]))) {
      throw new TooManyRequestsError(TRY_AGAIN_SECONDS)
    }
    return { digests, expiresIn }
  }

  /** Forgets what this application left under that token. False when there is nothing of the kind. */
  remove({ clientId, userId }: Asked, digest: Buffer, { name }: HashAlgorithm): Promise<boolean> {
    const wanted = { clientId, userId, hash: name, digest: digest.toString('base64') }
    const event = auditEvent('document.withdrawn', wanted)
    return this.#store.remove(wanted, this.#now(), [event])
  }

  /** What is on record of the documents of these digests, by digest (Base64). It proves nothing yet. */
  async list(
    { clientId, userId }: Asked,
    digests: readonly Buffer[],
    hash: HashAlgorithm,
  ): Promise<ReadonlyMap<string, { readonly label: string | null; readonly size: number }>> {
    const wanted = digests.map((digest) => digest.toString('base64'))
    const listed = await this.#store.list(
      { clientId, userId, hash: hash.name, digests: wanted },
      this.#now(),
    )
    return new Map(
      listed.map((each) => [each.digest, { label: this.#labelOf(each), size: each.size }]),
    )
  }

  /**
   * The document of that digest, as far as that application left one that this person may see. What is on
   * record about it is not believed: the digest is computed again from the bytes that are returned.
   */
  async find(
    { clientId, userId }: Asked,
    digest: Buffer,
    hash: HashAlgorithm,
  ): Promise<DepositedDocument | null> {
    const wanted = { clientId, userId, hash: hash.name, digest: digest.toString('base64') }
    const kept = await this.#store.find(wanted, this.#now())
    if (!kept) return null
    const content = this.#contentOf(kept)
    if (!content || !(await digestOf(content, hash)).equals(digest)) return null
    return new FoundDocument({
      label: this.#labelOf(kept),
      content,
      digest: digest.toString('hex'),
    })
  }

  /** Null when it was changed, or sealed with another secret: then it is as good as gone. */
  #contentOf(kept: KeptDocument): Buffer | null {
    try {
      return this.#secrets.unsealBytes(sealOf(kept, 'content'), kept.content)
    } catch {
      return null
    }
  }

  #labelOf(kept: Omit<KeptDocument, 'content' | HashName>): string | null {
    try {
      return this.#secrets.unseal(sealOf(kept, 'label'), kept.label) || null
    } catch {
      return null
    }
  }
}

/** What is sealed for one application and person cannot be moved to another's row. */
function sealOf(
  { id, clientId, userId }: Pick<KeptDocument, 'id' | 'clientId' | 'userId'>,
  member: string,
): string {
  return `deposited ${member} ${JSON.stringify([id, clientId, userId])}`
}

/** Beside the event loop: documents are large. */
async function digestOf(content: Buffer, { name }: HashAlgorithm): Promise<Buffer> {
  const bytes = content as Buffer<ArrayBuffer>
  return Buffer.from(await webcrypto.subtle.digest(name.replace('sha', 'SHA-'), bytes))
}
