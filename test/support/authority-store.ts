import type {
  AuthorityName,
  AuthorityRecord,
  AuthorityStore,
} from '../../src/certificates/embedded/authority-store.js'

/** Keeps authorities for one test. */
export class MemoryAuthorityStore implements AuthorityStore {
  readonly records = new Map<AuthorityName, AuthorityRecord>()

  async load(name: AuthorityName): Promise<AuthorityRecord | null> {
    return this.records.get(name) ?? null
  }

  async save(name: AuthorityName, record: AuthorityRecord): Promise<void> {
    if (!this.records.has(name)) this.records.set(name, record)
  }
}
