import type {
  AuthorityName,
  AuthorityRecord,
  AuthorityStore,
  ServiceName,
} from '../../src/certificates/embedded/authority-store.js'
import type {
  IssuedCertificateStore,
  NewCertificate,
} from '../../src/certificates/issued-certificates.js'
import type { Revocation } from '../../src/certificates/revocation.js'

/** Keeps what was issued, and what of it is revoked, for one test. */
export class MemoryCertificateStore implements IssuedCertificateStore {
  readonly certificates = new Map<string, NewCertificate & { revocation: Revocation | null }>()

  async register(certificate: NewCertificate): Promise<void> {
    this.certificates.set(certificate.serialNumber, { ...certificate, revocation: null })
  }

  async find(serialNumber: string) {
    return this.certificates.get(serialNumber) ?? null
  }

  async listRevoked(endsAfter: Date) {
    return [...this.certificates.values()].flatMap(({ serialNumber, revocation, notAfter }) =>
      revocation && notAfter > endsAfter ? [{ serialNumber, revocation }] : [],
    )
  }

  async revoke(serialNumber: string, revocation: Revocation): Promise<boolean> {
    const certificate = this.certificates.get(serialNumber)
    if (!certificate) return false
    this.certificates.set(serialNumber, { ...certificate, revocation })
    return true
  }
}

/** Keeps authorities for one test. */
export class MemoryAuthorityStore implements AuthorityStore {
  readonly records = new Map<AuthorityName | ServiceName, AuthorityRecord>()

  async load(name: AuthorityName | ServiceName): Promise<AuthorityRecord | null> {
    return this.records.get(name) ?? null
  }

  async save(name: AuthorityName | ServiceName, record: AuthorityRecord): Promise<void> {
    if (!this.records.has(name)) this.records.set(name, record)
  }

  async replace(name: ServiceName, keyId: string, record: AuthorityRecord): Promise<boolean> {
    if (this.records.get(name)?.keyId !== keyId) return false
    this.records.set(name, record)
    return true
  }
}
