import type { GeneratedKey } from '../../src/keys/key-custody.js'
import type { KeyOwner } from '../../src/keys/key-id.js'
import type { WrappedKeyRecord, WrappedKeyStore } from '../../src/keys/hsm-wrapped.js'

/** The table of wrapped keys, which whoever has the database can write what they like into. */
export class WrappedKeyTable implements WrappedKeyStore {
  readonly rows = new Map<string, WrappedKeyRecord>()
  looks = 0

  find(keyId: string): Promise<WrappedKeyRecord | null> {
    this.looks += 1
    return Promise.resolve(this.rows.get(keyId) ?? null)
  }

  keep({ keyId, publicKey, wrapped = '' }: GeneratedKey, owner: KeyOwner | null = null): void {
    this.rows.set(keyId, { publicKey, wrapped, owner })
  }
}
