import type { BoundedHttp } from '../certificates/bounded-http.js'
import { UnfitDocumentError } from '../errors.js'
import type { HashAlgorithm } from '../keys/algorithms.js'
import { digestOf } from '../keys/digest.js'

/** Where a document is that an application does not send (CSC data model, documentReference). */
export interface DocumentReference {
  readonly href: URL
  /** What it has to hash to; null where the application does not say. */
  readonly checksum: { readonly algorithm: HashAlgorithm; readonly value: Buffer } | null
}

/** A host from which documents may be fetched, and for whom; for all applications when `clients` is absent. */
export interface DocumentHost {
  /** With the port, unless it is 443. */
  readonly host: string
  readonly clients?: readonly string[]
}

/** More than any of the documents of a call that were sent, and no more than those who wait can bear. */
const MOST_REFERENCES = 10

/**
 * Documents that are fetched where an application says they are: from hosts that the operator allows it,
 * over https, and all of a call are no larger than one that is sent may be (S60). What is fetched is looked
 * for among what its signer agreed to, like what is sent.
 */
export class DocumentReferences {
  readonly #http: BoundedHttp
  readonly #hosts: readonly DocumentHost[]
  readonly #mostBytes: number

  constructor(parts: { http: BoundedHttp; hosts: readonly DocumentHost[]; mostBytes: number }) {
    this.#http = parts.http
    this.#hosts = parts.hosts
    this.#mostBytes = parts.mostBytes
  }

  isAllowed(host: string, clientId: string): boolean {
    return this.#hosts.some(
      (each) => each.host === host && (each.clients?.includes(clientId) ?? true),
    )
  }

  /** In their order. @throws {UnfitDocumentError} */
  async fetch(references: readonly DocumentReference[]): Promise<Buffer[]> {
    if (references.length > MOST_REFERENCES) {
      throw new UnfitDocumentError(`More than ${MOST_REFERENCES} documents by reference`)
    }
    const fetched: Buffer[] = []
    let left = this.#mostBytes
    for (const reference of references) {
      const document = await this.#fetch(reference, left)
      left -= document.length
      fetched.push(document)
    }
    return fetched
  }

  async #fetch({ href, checksum }: DocumentReference, mostBytes: number): Promise<Buffer> {
    const { status, body } = await this.#http(href, { mostBytes }).catch((cause: unknown) => {
      throw new UnfitDocumentError('A document cannot be fetched from its href', { cause })
    })
    // Nor is it at the end of a redirect: only what was named is asked for.
    if (status !== 200 || body.length === 0) {
      throw new UnfitDocumentError(`A document cannot be fetched from its href: status ${status}`)
    }
    if (checksum && !digestOf(checksum.algorithm, body).equals(checksum.value)) {
      throw new UnfitDocumentError('A document is not the one its checksum is of')
    }
    return body
  }
}
