import type {
  AuthorityName,
  AuthorityRecord,
  AuthorityStore,
  ServiceName,
} from '../../src/certificates/embedded/authority-store.js'

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
